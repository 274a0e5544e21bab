"""When demonstrators and agent agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

__all__ = ["Gap", "agreed", "gap_of"]


class Gap(NamedTuple):
    """(E_demo − E_π) Σγᵗ r / α, nats, and the standard errors of it and of the demonstrators' part."""

    value: float
    stderr: float
    demonstrated_stderr: float


def gap_of(demonstrated: Float[Tensor, " D"], played: Float[Tensor, " P"], temperature: float) -> Gap:
    """The gap from sums of whole trajectories, reward units; a lone demonstration is taken to vary as the agent does.

    The episodes must be ones that the reward has not been fitted to, or the gap would look larger than it is.
    """
    ours = float(played.var()) / len(played)
    theirs = float(demonstrated.var()) / len(demonstrated) if len(demonstrated) > 1 else float(played.var())
    value = float(demonstrated.mean() - played.mean())
    return Gap(value / temperature, math.sqrt(theirs + ours) / temperature, math.sqrt(theirs) / temperature)


def agreed(gaps: Sequence[float], stderrs: Sequence[float], *, share: float, patience: int, tolerance: float) -> bool:
    """Whether demonstrators and agent cannot be told apart, and have not been for ``patience`` rounds.

    The agent is granted the demonstrators' spread, not its own: one that fails now and then varies more than they do,
    and would pass for uncertain. Each gap must be within twice the tolerance, and so nothing that merely passes
    through 0 agrees; their mean within once, where the demonstrations' error, the same in every round, does not
    average out.

    Args:
        gaps: a round each, nats.
        stderrs: of the demonstrators' part.
        share: demonstrations for each episode that the agent plays in a round.
        patience: rounds.
        tolerance: standard errors.
    """
    if len(gaps) < patience:
        return False
    gap, theirs = np.asarray(gaps[-patience:]), np.asarray(stderrs[-patience:])
    each = bool((np.abs(gap) <= 2 * tolerance * theirs * math.sqrt(1 + share)).all())
    mean = abs(float(gap.mean())) <= tolerance * math.sqrt(float((theirs**2).mean()) * (1 + share / patience))
    return each and mean and bool((theirs > 0).all())
