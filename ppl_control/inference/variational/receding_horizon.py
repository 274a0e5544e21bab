"""Receding horizon: plan, act once, look, plan again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.inference.base import Solution, infer
from ppl_control.inference.contracts import ExactMethod, IterativeMethod
from ppl_control.inference.variational.first_action import first_action
from ppl_control.policies.base import Policy, Time
from ppl_control.policies.later import Later
from ppl_control.policies.linear_gaussian import LinearGaussianPolicy
from ppl_control.policies.stacked import Stacked
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.settings import require_whole
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["RecedingHorizon", "RecedingHorizonPolicy"]


@dataclass(frozen=True)
class RecedingHorizon:
    """Infer anew in every state that is met, and take the first action: model-predictive control.

    So an open-loop guide or particles become a feedback policy. What is believed is what the first plan believes.

    Args:
        method: how to plan; it makes a policy or a plan.
        planning_model: what to plan with, as far ahead as its horizon; its first state is replaced. None: the
            model itself, to its end.
        episodes: the most that ``evaluate`` simulates in a continuous model, where every step costs a plan.

    Raises:
        ValueError: at ``infer``, a method that cannot serve the planning model, or a model that is a program.

    Note:
        The bound is the first plan's; NaN where a planning model is given, which says nothing of the model.

    References:
        Richalet et al. (1978); Mayne et al. (2000); Okada and Taniguchi (2020), variational inference MPC.
    """

    method: Any
    planning_model: TrajectoryModel | None = None
    episodes: int = 20

    steps = 1

    def __post_init__(self) -> None:
        if isinstance(self.method, type) or not isinstance(self.method, ExactMethod | IterativeMethod):
            raise ValueError(f"method: expected an inference method, got {self.method!r}")
        if self.planning_model is not None and not isinstance(self.planning_model, TrajectoryModel):
            raise ValueError(f"planning_model: expected a TrajectoryModel, got {self.planning_model!r}")
        require_whole(self, {"episodes": 2})

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where the method cannot serve the model."""
        planning = self.planning_model or model
        if planning.mdp is None:
            raise ValueError(f"RecedingHorizon: plans from states of an MDP, got {planning!r}")
        if planning.is_simulator:
            raise ValueError(f"planning_model: {planning!r} can be sampled only; give a model to plan with")
        if _states(planning) != _states(model):
            raise ValueError(f"planning_model: its states are not the model's: {planning!r} for {model!r}")
        self.method.check(planning)

    def init(self, model: TrajectoryModel, seed: int = 0) -> RecedingHorizonState:
        """The state before the first plan."""
        return RecedingHorizonState(seed)

    def step(self, model: TrajectoryModel, state: RecedingHorizonState) -> dict[str, float]:
        """Make the first plan."""
        state.first = infer(self.planning_model or model, self.method, seed=state.seed, progress=False)
        state.number += 1
        return {} if self.planning_model else {"bound": state.first.log_evidence_bound}

    def finished(self, state: RecedingHorizonState) -> bool:
        """Whether the first plan is made; the others are made while acting."""
        return state.first is not None and state.first.finished

    def solution(self, model: TrajectoryModel, state: RecedingHorizonState) -> Solution:
        """The first plan's beliefs, with the policy that plans again."""
        assert state.first is not None
        planning = self.planning_model or model
        policy = RecedingHorizonPolicy(self.method, planning, model.horizon, state.seed, self.episodes)
        elsewhere = self.planning_model is not None
        return replace(
            state.first,
            model=model,
            method=self,
            policy=policy,
            exact=False,
            log_evidence_bound=float("nan") if elsewhere else state.first.log_evidence_bound,
            log_evidence_bound_stderr=float("nan") if elsewhere else state.first.log_evidence_bound_stderr,
        )


@dataclass(eq=False)
class RecedingHorizonState:
    """The first plan; cheap enough to be made anew, so nothing of it is stored."""

    seed: int
    first: Solution | None = None
    number: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Nothing to take over."""


class RecedingHorizonPolicy(Policy):
    """π(a|s,t): the first action of a plan made from s with the steps that are left; plans of tables are kept.

    Args:
        method: how to plan.
        model: what to plan with.
        horizon: T of the model acted in; None: no end.
        seed: seed of the plans.
        episodes: the most that ``evaluate`` simulates in a continuous model.
    """

    replans = True

    def __init__(self, method: Any, model: TrajectoryModel, horizon: int | None, seed: int, episodes: int) -> None:
        super().__init__()
        self.episodes = episodes
        self.method, self.model, self.horizon, self.seed = method, model, horizon, seed
        self.state_ndim = int(model.is_continuous)
        self._plans: dict[tuple[int, int], Tensor] = {}

    def plan(self, state: Tensor, t: int) -> Solution:
        """The plan from one state at time t.

        Raises:
            ValueError: a time outside the horizon.
            KeyboardInterrupt: Ctrl-C ended it; who acts cannot go on with half a plan.
        """
        if self.horizon is not None and not 0 <= t < self.horizon:
            raise ValueError(f"t: this policy has times 0 … {self.horizon - 1}, got {t}")
        model, left = self.model, self.model.horizon
        if self.horizon is not None and left is not None:
            left = min(left, self.horizon - t)
        start = int(state) if model.is_tabular else state
        prior = model.action_prior
        if left != model.horizon and isinstance(prior, nn.Module):
            assert left is not None
            prior = _later(prior, t, left)
        here = model.replaced(mdp=model.mdp.with_initial(start), horizon=left, action_prior=prior)
        found = infer(here, self.method, seed=self.seed + t, progress=False)
        if not found.finished:
            raise KeyboardInterrupt
        return found

    @torch.no_grad()
    def forward(self, state: Tensor, t: Time = None) -> Any:
        """The first actions of plans from every state of the batch, made one after another."""
        state = torch.as_tensor(state)
        if t is None and self.horizon is not None:
            raise ValueError("t: this policy depends on time and was called without it")
        batch = state.shape[: state.ndim - self.state_ndim]
        times = torch.as_tensor(0 if t is None else t).expand(batch).reshape(-1).tolist()
        states = state.reshape(-1, *state.shape[state.ndim - self.state_ndim :])
        if self.model.is_tabular:
            rows = [self._row(int(s), time) for s, time in zip(states, times, strict=True)]
            return Categorical(logits=torch.stack(rows).reshape(*batch, -1))
        dtype = self.model.mdp.dtype
        found = [first_action(self.plan(s.to(dtype), time), s.to(dtype), self.seed + time)
                 for s, time in zip(states, times, strict=True)]  # fmt: skip
        if len(batch) > 1:
            raise ValueError(f"state: expected one state or a row of them, got {tuple(state.shape)}")
        if not batch:
            return found[0]
        if isinstance(found[0], torch.distributions.Categorical):
            return Categorical(logits=torch.stack([part.logits for part in found]))
        return Stacked(found)

    def _row(self, state: int, t: int) -> Tensor:
        left = None if self.model.horizon is None or self.horizon is None else min(self.model.horizon, self.horizon - t)
        key = (state, t) if left != self.model.horizon else (state, -1)  # far from the end all times are alike
        if key not in self._plans:
            here = torch.tensor(state)
            self._plans[key] = first_action(self.plan(here, t), here, self.seed + t).logits
        return self._plans[key]


def _states(model: TrajectoryModel) -> tuple[str, int | None]:
    """What a model's states are, and how many of them or how long."""
    mdp = model.mdp
    if mdp is None:
        return "program", None
    dim = getattr(mdp, "state_dim", None)
    return ("indices", mdp.num_states) if dim is None else ("vectors", dim)


def _later(prior: nn.Module, shift: int, horizon: int) -> nn.Module:
    """A prior as it is from a later time on."""
    if getattr(prior, "horizon", None) is None:
        return prior
    if isinstance(prior, TabularPolicy):
        return TabularPolicy(prior.logits[shift : shift + horizon])
    if isinstance(prior, LinearGaussianPolicy):
        steps = slice(shift, shift + horizon)
        gain, covariance, offset = (table.detach()[steps] for table in (prior.gain, prior.covariance, prior.offset))
        return LinearGaussianPolicy(gain, covariance, offset)
    return Later(prior, shift)
