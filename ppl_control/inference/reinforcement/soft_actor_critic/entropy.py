"""How random the policy shall be: the default target entropy, in the units of the actions."""

from __future__ import annotations

import math

import numpy as np
from gymnasium import spaces

__all__ = ["default_target_entropy", "highest_entropy"]

MOST = 0.9  # of the time the preferred one of finitely many actions


def default_target_entropy(space: spaces.Space) -> float:
    """H̄ that serves most problems, nats.

    For a box of m actions −m nats in units where it is [−1, 1]^m, as is usual; in the units of the environment, in
    which densities are here, that is −m + Σ log((high − low)/2).

    For A actions the entropy of doing one of them nine times in ten and each other one equally often. It is above 0 and
    below log A whatever A is, as an entropy must be: −A could not be reached, and the temperature would fall for ever.

    References:
        Haarnoja et al. (2018, arXiv 1812.05905), appendix D.
    """
    if isinstance(space, spaces.Box):
        return -float(np.prod(space.shape)) + highest_entropy(space) - math.log(2) * float(np.prod(space.shape))
    others = _number(space) - 1
    return 0.0 if others == 0 else -MOST * math.log(MOST) - (1 - MOST) * math.log((1 - MOST) / others)


def highest_entropy(space: spaces.Space) -> float:
    """Entropy of the uniform distribution: log-volume of a box, or log A; nats."""
    if isinstance(space, spaces.Box):
        return float(np.log(space.high.astype(np.float64) - space.low).sum())
    return math.log(_number(space))


def _number(space: spaces.Space) -> int:
    assert isinstance(space, spaces.Discrete)
    return int(space.n)
