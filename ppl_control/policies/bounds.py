"""Actions between bounds: a distribution on all of space, squashed by tanh into a box, Jacobian included."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pyro.distributions import TransformedDistribution  # pyright: ignore[reportAttributeAccessIssue]
from torch import Tensor, nn
from torch.distributions import Distribution, Transform, constraints
from torch.nn.functional import softplus

from ppl_control.mdp.validation import as_tensor
from ppl_control.settings import shown

__all__ = ["Bound", "Bounds", "Squash", "Squashed"]

Bound = float | Sequence[float] | np.ndarray | Tensor | None
# The normal whose tanh is nearest to uniform, KL(uniform ‖ ·): the deviation of artanh(U), U uniform on (−1, 1).
UNIFORM_SCALE = math.pi / math.sqrt(12)


class Squash(Transform):
    """y = low + (high − low) (1 + tanh x) / 2, for each number.

    log |dy/dx| = log((high − low) / 2) + 2 (log 2 − x − softplus(−2x)), which keeps its digits where tanh is
    flat. The inverse of a point on a bound is the last finite one, not ±∞.

    Args:
        low: the smallest action, broadcasts against the last dimensions of x.
        high: the largest action.
        cache_size: 1 keeps the last (x, y), so that scoring one's own sample inverts nothing.

    References:
        Haarnoja et al. (2018, arXiv 1812.05905), appendix C.
    """

    domain = constraints.real
    bijective = True
    sign = +1  # pyright: ignore[reportAssignmentType]

    def __init__(self, low: Tensor, high: Tensor, cache_size: int = 1) -> None:
        super().__init__(cache_size=cache_size)
        self.low, self.high = low, high

    @property
    def codomain(self) -> constraints.Constraint:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The box."""
        return constraints.interval(self.low, self.high)

    def with_cache(self, cache_size: int = 1) -> Squash:
        """The same transform with a cache, or without (0)."""
        return self if cache_size == self._cache_size else Squash(self.low, self.high, cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return torch.lerp(self.low, self.high, torch.sigmoid(2 * x))  # (1 + tanh x) / 2, exact at both ends

    def _inverse(self, y: Tensor) -> Tensor:
        least = (self.high - self.low) * (torch.finfo(y.dtype).eps / 4)
        return 0.5 * (torch.maximum(y - self.low, least).log() - torch.maximum(self.high - y, least).log())

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Nats, of each number."""
        return torch.log(self.high - self.low) + math.log(2) - 2 * (x + softplus(-2 * x))


class Squashed(TransformedDistribution):
    """A transformed distribution that names a middle: the image of its base's mode.

    Note:
        ``mode`` is the action that a deterministic policy takes, as in soft actor-critic: the squashed mean of
        the base. It is the median of each coordinate, not the peak of the squashed density, which may lie on a bound.
    """

    @property
    def mode(self) -> Tensor:
        """The image of the base's mode."""
        mode = self.base_dist.mode
        for transform in self.transforms:
            mode = transform(mode)
        return mode


class Bounds(nn.Module):
    """The box of actions, or all of space.

    Args:
        low: the smallest action, a number or shape [m]; None, with ``high``: no bounds.
        high: the largest action.
        action_dim: m.
        dtype: floating-point type.

    Raises:
        ValueError: only one bound, bounds that are not finite, or a low that is not below its high.
    """

    def __init__(self, low: Bound, high: Bound, action_dim: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        if (low is None) != (high is None):
            raise ValueError(f"low and high: give both or neither, got {shown(low)} and {shown(high)}")
        self.low: Tensor | None
        self.high: Tensor | None
        self.register_buffer("low", _bound("low", low, action_dim, dtype))
        self.register_buffer("high", _bound("high", high, action_dim, dtype))
        if self.low is not None and self.high is not None and bool((self.low >= self.high).any()):
            raise ValueError(
                f"low: expected less than high, got {shown(self.low.tolist())} and {shown(self.high.tolist())}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """``low`` and ``high``, shape [m]; None without bounds."""
        return {"low": self.low, "high": self.high}

    @property
    def start_scale(self) -> float:
        """Standard deviation of a broad normal to start from: 1, or that nearest to uniform once squashed."""
        return 1.0 if self.low is None else UNIFORM_SCALE

    def forward(self, distribution: Distribution) -> Distribution:
        """The distribution, squashed into the box; itself where there is none."""
        if self.low is None or self.high is None:
            return distribution
        return Squashed(distribution, [Squash(self.low, self.high)])


def _bound(name: str, bound: Bound, action_dim: int, dtype: torch.dtype) -> Tensor | None:
    if bound is None:
        return None
    given = as_tensor(name, bound, dtype)
    if given.ndim > 1 or given.numel() not in (1, action_dim):
        raise ValueError(f"{name}: expected a number or shape [{action_dim}], got shape {list(given.shape)}")
    if not bool(given.isfinite().all()):
        raise ValueError(
            f"{name}: expected finite bounds, got {shown(given.tolist())}; an unbounded action wants a policy without "
            "bounds"
        )
    return given.detach().expand(action_dim).clone()
