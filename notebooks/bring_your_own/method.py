"""An inference method of your own, here reward-weighted regression: imitate the trials that went well.

Draw trials of the policy, weigh each by exp(return/α), make the weighted frequencies of actions the next policy. From
the uniform policy the first step estimates the posterior's policy, by importance sampling. Repeated it is
expectation-maximisation on log E exp(R/α), whose summit is the plan of a gambler (Dayan and Hinton 1997).
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ppl_control import (
    Comparison,
    MessagePassing,
    SoftValueIteration,
    Solution,
    TabularMDP,
    TrajectoryModel,
    compare,
    evaluate,
    guides,
    policies,
)


@dataclass
class Trials:
    """What a run knows between two steps. ``number`` counts them; the rest is yours."""

    policy: Tensor  # q(a|s,t), index order [t, s, a]
    draws: torch.Generator  # of this run alone: the caller's random state is not touched
    number: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints: tensors, numbers, text, lists and dicts of these; yours: everything that a step reads."""
        return {"policy": self.policy, "draws": self.draws.get_state(), "number": self.number, "history": self.history}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave; its parts, types and shapes have been checked."""
        self.policy, self.number, self.history = saved["policy"], saved["number"], saved["history"]
        self.draws.set_state(saved["draws"])


@dataclass(frozen=True)
class RewardWeightedRegression:
    """Settings, checked where they are made; a dataclass, so that a checkpoint knows which run it belongs to."""

    steps: int = 20
    trials: int = 4000

    def __post_init__(self) -> None:
        for name in ("steps", "trials"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name}: expected an integer >= 1, got {getattr(self, name)!r}")

    def check(self, model: TrajectoryModel) -> None:
        """Refuse what it cannot serve, before any work."""
        if not model.is_tabular or model.horizon is None or model.action_prior != "uniform":  # yours
            raise ValueError(f"RewardWeightedRegression: needs a table, a horizon, the uniform prior; got {model!r}")

    def init(self, model: TrajectoryModel, seed: int = 0) -> Trials:
        """The uniform policy."""
        actions = model.mdp.num_actions
        start = torch.full((model.horizon, model.mdp.num_states, actions), 1 / actions, dtype=torch.float64)
        return Trials(start, torch.Generator().manual_seed(seed))

    def step(self, model: TrajectoryModel, state: Trials) -> dict[str, float]:
        """One round of trials; what it returns is shown in the progress bar and given to callbacks."""
        seed = int(torch.randint(2**62, (), generator=state.draws))
        drawn = self.answer(model, state).sample(self.trials, seed)  # yours, to the end of the method
        gains = drawn.returns / model.temperature
        weight = torch.softmax(gains, 0)[:, None].expand_as(drawn.rewards)
        counts = torch.zeros_like(state.policy)
        time = torch.arange(model.horizon).expand_as(drawn.actions)
        place = (time[drawn.alive], drawn.states[:, :-1][drawn.alive], drawn.actions[drawn.alive])
        counts.index_put_(place, weight[drawn.alive], accumulate=True)
        seen = counts.sum(-1, keepdim=True)
        state.policy = torch.where(seen > 0, counts / seen, state.policy)
        log_success = float(torch.logsumexp(gains, 0)) - math.log(self.trials)  # of the policy before this step
        state.history.setdefault("log_success", []).append(log_success)
        state.number += 1
        return {"log_success": log_success}

    def finished(self, state: Trials) -> bool:
        """Whether no further step is wanted."""
        return state.number >= self.steps

    def answer(self, model: TrajectoryModel, state: Trials) -> Solution:
        """The policy in the world as it is, its bound still to be found."""
        guide = guides.FixedDynamics(policies.TabularPolicy(state.policy.log())).build(model)
        return Solution(model, self, guide.policy, guide, float("nan"), exact=False, temperature=model.temperature)

    def solution(self, model: TrajectoryModel, state: Trials) -> Solution:
        """With the policy's own ELBO, nats: E[R]/α + entropy − log A for every decision."""
        found = self.answer(model, state)
        report = evaluate(found, model)
        decisions = float(report.executed_states[:-1].sum())
        bound = (
            report.executed_return / model.temperature + report.entropy - decisions * math.log(model.mdp.num_actions)
        )
        return replace(found, log_evidence_bound=bound, history=state.history)


FULL, PATCHES = 6, {"steady": {1: 0.5, 0: 0.5}, "rich": {2: 0.35, 0: 0.3, -1: 0.35}}  # gain: chance


def meal(reserves: int, chances: dict[int, float]) -> list[tuple[float, int, float, bool]]:
    """(probability, next reserves, reward, done): full by dusk is worth 1, to starve costs 1, and both are ends."""
    after, worth = {gain: min(reserves + gain, FULL) for gain in chances}, {0: -1.0, FULL: 1.0}
    return [(p, after[gain], worth.get(after[gain], 0.0), after[gain] in worth) for gain, p in chances.items()]


def model(temperature: float = 0.2) -> TrajectoryModel:
    """A bird on a winter day: four meals until dusk, each at a steady patch or at a rich one with a hawk."""
    rules = {s: [meal(s, chances) if 0 < s < FULL else [] for chances in PATCHES.values()] for s in range(FULL + 1)}
    day = TabularMDP.from_outcomes(rules, [0, 0, 1, 0, 0, 0, 0], action_names=list(PATCHES))
    return TrajectoryModel(day, horizon=4, temperature=temperature, action_prior="uniform")


def gamblers_value(problem: TrajectoryModel) -> float:
    """Log max E exp(R/α) over all policies, nats: the summit that many steps climb."""
    tables = problem.tables
    value = torch.ones(FULL + 2, dtype=torch.float64)  # E exp(what is to come); the last entry is the silent end
    for _ in range(tables.horizon):
        best = (tables.outcomes.probability * tables.reward.exp() * value[tables.successor]).sum(-1).amax(-1)
        value[:-1] = torch.where(tables.terminal, 1.0, best)
    return float((tables.initial * value).sum().log())


def comparison(problem: TrajectoryModel) -> Comparison:
    """The new method beside the library's."""
    methods = {
        "one step": RewardWeightedRegression(steps=1),
        "many steps": RewardWeightedRegression(),
        "posterior": MessagePassing(),
        "soft value iteration": SoftValueIteration(),
    }
    return compare(problem, methods)


if __name__ == "__main__":
    found = comparison(problem := model())
    print(found)
    climbed = found.runs[1].solution.history["log_success"]
    print(f"log E exp(R/α): from {climbed[0]:.2f} to {climbed[-1]:.2f} nats; the summit: {gamblers_value(problem):.2f}")
