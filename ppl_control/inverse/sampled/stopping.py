"""When demonstrators and agent agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Gaps", "agreed", "mean_gap"]


@dataclass(frozen=True, eq=False)
class Gaps:
    """How much more a demonstration is worth than an episode of the agent that began like it, in one round.

    Attributes:
        like: the demonstration's number, [n].
        value: Σγᵗ r of the demonstration less that of the episode, over α, nats, [n]. The reward must not have been
            fitted to the episodes, or the gaps would look larger than they are.
        untrained: how much more the demonstrations are worth than episodes of the untrained agent, nats.
    """

    like: np.ndarray
    value: np.ndarray
    untrained: float


def mean_gap(rounds: Sequence[Gaps]) -> tuple[float, float]:
    """The mean gap of some rounds and its standard error, nats.

    A demonstration is the same in every round, and what is peculiar to it does not average out: the error is that of
    the means of the demonstrations. Of a single one it is that of the episodes.
    """
    like, value = (np.concatenate([getattr(gaps, name) for gaps in rounds]) for name in ("like", "value"))
    groups = [value[like == i] for i in np.unique(like)]
    means = value if len(groups) == 1 else np.array([group.mean() for group in groups])
    error = float(means.std(ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else 0.0
    return float(means.mean()), error


def agreed(rounds: Sequence[Gaps], *, patience: int, tolerance: float, closeness: float) -> bool:
    """Whether the mean gap of the last ``patience`` rounds is none, as far as one can tell, or next to none.

    That is: within ``tolerance`` standard errors of 0, or below the share ``closeness`` of the untrained agent's. So
    must be that of their earlier and of their later half, or a gap that passes through 0 would be taken for none.
    """
    if len(rounds) < patience:
        return False
    latest = rounds[-patience:]
    halves = [latest, latest[: patience // 2], latest[patience // 2 :]]
    return all(_none(half, tolerance, closeness) for half in halves if half)


def _none(rounds: Sequence[Gaps], tolerance: float, closeness: float) -> bool:
    gap, error = mean_gap(rounds)
    untrained = float(np.mean([gaps.untrained for gaps in rounds]))
    return untrained > 0 and abs(gap) <= max(tolerance * error, closeness * untrained)
