"""Believed return, executed return, optimism: what a solution expects against what it gets."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ppl_control.guides.program import ProgramGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.fixed_point import visits
from ppl_control.inference.exact.recursions import occupancies
from ppl_control.policies.deterministic import Deterministic
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.program_rollout import sample_program
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What a guide believes and what its policy gets; reward units, standard errors 0 where exact.

    Attributes:
        believed_return: E_q[Σ γᵗ r] under the guide, in the model it was fitted to.
        executed_return: E[Σ γᵗ r] of its policy in the model given to ``evaluate``; NaN without a policy.
        episode_return: E[Σ r] of its policy to termination or horizon, without the discount; NaN where that
            does not end.
        entropy: E[Σ γᵗ H(q(a_t|s_t))] of the executed policy, nats.
        believed_states: q(s_t = s), index order [t, s], shape [T+1, S]; what is missing from 1 has ended.
            Without a horizon the expected number of decisions in each state, [S]. None for programs.
        executed_states: the same for the executed policy.
    """

    believed_return: float
    executed_return: float
    episode_return: float
    entropy: float
    believed_return_stderr: float = 0.0
    executed_return_stderr: float = 0.0
    episode_return_stderr: float = 0.0
    believed_states: Tensor | None = None
    executed_states: Tensor | None = None

    @property
    def optimism(self) -> float:
        """Believed minus executed return: what the guide hopes of luck, reward units."""
        return self.believed_return - self.executed_return

    @property
    def optimism_stderr(self) -> float:
        """Standard error of the optimism; the two returns are computed apart."""
        return float((self.believed_return_stderr**2 + self.executed_return_stderr**2) ** 0.5)


@dataclass(frozen=True)
class _Walk:
    value: float
    stderr: float
    entropy: float
    states: Tensor | None


@torch.no_grad()
def evaluate(
    solution: Solution,
    model: TrajectoryModel,
    *,
    episodes: int = 1000,
    seed: int = 0,
    deterministic: bool = False,
) -> Evaluation:
    """Hold a solution's beliefs against what its policy gets.

    Args:
        solution: what ``infer`` returned.
        model: where to execute the policy; it may differ from the model fitted to (a perturbed one).
        episodes: simulated episodes, where there are no tables.
        seed: seed of the simulation.
        deterministic: execute the policy's mode.

    Raises:
        ValueError: the policy does not fit the model, or ``episodes`` is less than 2.
    """
    if not isinstance(solution, Solution):
        raise ValueError(f"solution: expected what infer returned, got {solution!r}")
    if not isinstance(model, TrajectoryModel):
        raise ValueError(f"model: expected a TrajectoryModel, got {model!r}")
    if isinstance(episodes, bool) or not hasattr(episodes, "__index__") or episodes < 2:
        raise ValueError(f"episodes: expected at least 2, got {episodes!r}")
    with RandomStream(seed):
        if isinstance(solution.guide, TabularGuide):
            fitted = solution.guide.model.tables
            believed = _exact(fitted, solution.guide.tables())
        else:
            believed = _simulated(solution.model, solution.guide, episodes)
        policy = solution.policy
        if policy is not None and deterministic:
            policy = Deterministic(policy)
        if policy is None:
            executed = whole = _Walk(math.nan, math.nan, math.nan, None)
        elif not model.is_tabular:
            executed = _simulated(model, ProgramGuide(model, policy, learn_dynamics=False), episodes)
            whole = executed
        else:
            executed = _execute(model, policy)
            whole = executed
            if model.discount < 1:
                whole = _execute_whole(model.replaced(discount=1.0), policy)
    return Evaluation(
        believed_return=believed.value,
        executed_return=executed.value,
        episode_return=whole.value,
        entropy=executed.entropy,
        believed_return_stderr=believed.stderr,
        executed_return_stderr=executed.stderr,
        episode_return_stderr=whole.stderr,
        believed_states=believed.states,
        executed_states=executed.states,
    )


def _execute(model: TrajectoryModel, policy: nn.Module) -> _Walk:
    here = deepcopy(policy).to(model.tables.initial.device)  # it may have been fitted elsewhere
    return _exact(model.tables, TabularGuide(model, here).tables())


def _execute_whole(model: TrajectoryModel, policy: nn.Module) -> _Walk:
    try:
        return _execute(model, policy)
    except ValueError:
        if model.horizon is not None:
            raise
        return _Walk(math.nan, 0.0, math.nan, None)  # this policy may never end an episode


def _exact(tables: Tables, guide: GuideTables) -> _Walk:
    policy = guide.policy.exp()
    dynamics = guide.dynamics(tables)
    reward = (policy * (dynamics * tables.reward).sum(-1)).sum(-1) * tables.temperature
    entropy = -weighted(policy, guide.policy).sum(-1)
    if tables.horizon is None:
        states = here = visits(tables, guide)
    else:
        states = occupancies(tables, guide)[:, :-1]
        here = states[:-1]
    return _Walk(float((here * reward).sum()), 0.0, float((here * entropy).sum()), states)


def _simulated(model: TrajectoryModel, guide: nn.Module, episodes: int) -> _Walk:
    rollout = sample_program(model, guide, episodes)
    returns = rollout.rewards().sum(0)
    actions = [i for i, role in enumerate(rollout.roles) if role == "action"]
    entropy = -rollout.log_q[actions].sum(0).mean()
    return _Walk(float(returns.mean()), float(returns.std() / episodes**0.5), float(entropy), None)
