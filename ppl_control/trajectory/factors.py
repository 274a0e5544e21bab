"""Optimality factors of the per-site programs."""

from __future__ import annotations

from typing import Any

import pyro
from pyro.distributions import Unit
from torch import Tensor

__all__ = ["factor"]


def factor(name: str, log_factor: Tensor, reward: Tensor) -> None:
    """``pyro.factor`` that remembers the reward it stands for, which is α · log_factor only without a volume."""
    nothing = log_factor.new_empty((*log_factor.shape, 0))
    infer: Any = {"is_auxiliary": True, "reward": reward}
    pyro.sample(name, Unit(log_factor, has_rsample=False), obs=nothing, infer=infer)
