"""What a critic is pulled to."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

__all__ = ["soft_target"]


def soft_target(
    reward: Float[Tensor, "*b"],
    terminated: Float[Tensor, "*b"],
    next_value: Float[Tensor, "*b"],
    discount: float,
) -> Float[Tensor, "*b"]:
    """Y = r + γ (1 − done) V(s'), reward units; nothing follows termination, truncation is bootstrapped through."""
    return reward + discount * (1 - terminated) * next_value
