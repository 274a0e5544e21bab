"""Returns, entropies and states of trajectories, however they were found."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ppl_control.inference.exact.recursions import occupancies
from ppl_control.inference.exact.stationary.guides import visits
from ppl_control.trajectory.continuous_rollout import ContinuousRollout
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.simulation import Episodes
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["NOTHING", "Walk", "from_episodes", "from_rollout", "from_runs", "from_tables"]


@dataclass(frozen=True, eq=False)
class Walk:
    """What trajectories are like.

    Attributes:
        value: expected return, reward units.
        stderr: its standard error; 0 where it was computed.
        entropy: E Σ γᵗ H(q(a_t|·)), nats.
        states: see ``Evaluation.believed_states``; None where there is no table.
        undiscounted: the same episodes' expected Σ r and its standard error, where it was found on the way.
    """

    value: float
    stderr: float
    entropy: float
    states: Tensor | None = None
    undiscounted: tuple[float, float] | None = None


NOTHING = Walk(math.nan, math.nan, math.nan)


def from_tables(tables: Tables, guide: GuideTables) -> Walk:
    """Exact, from a guide's conditionals."""
    policy = guide.policy.exp()
    paid = tables.expected_reward if guide.outcomes is None else (guide.outcomes.exp() * tables.reward).sum(-1)
    reward = (policy * paid).sum(-1) * tables.temperature
    entropy = -weighted(policy, guide.policy).sum(-1)
    if tables.horizon is None:
        states = here = visits(tables, guide)
    else:
        states = occupancies(tables, guide)[:, :-1]
        here = states[:-1]
    return Walk(float((here * reward).sum()), 0.0, float((here * entropy).sum()), states)


def from_rollout(rollout: ContinuousRollout) -> Walk:
    """An estimate from trajectories of a continuous model."""
    return from_runs(rollout.reward.sum(0), -(rollout.weight * rollout.log_q).sum(0))


def from_episodes(episodes: Episodes) -> Walk:
    """An estimate from episodes of a simulator."""
    whole = from_runs(episodes.whole_returns)
    return replace(from_runs(episodes.returns, episodes.entropies), undiscounted=(whole.value, whole.stderr))


def from_runs(returns: Tensor, entropy: Any = math.nan) -> Walk:
    """An estimate from returns [n] and −log q of the actions [n]."""
    spread = float(returns.std() / len(returns) ** 0.5) if len(returns) > 1 else math.nan
    entropies = torch.as_tensor(entropy, dtype=returns.dtype)
    return Walk(float(returns.mean()), spread, float(entropies.mean()))
