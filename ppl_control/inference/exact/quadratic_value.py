"""Soft values of linear-Gaussian problems."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

__all__ = ["QuadraticValue"]


@dataclass(frozen=True, eq=False)
class QuadraticValue:
    """V_t(x) = −xᵀP_t x + p_tᵀx + c_t, reward units.

    Attributes:
        matrix: P, index order [t, state, state]; the last is the final cost.
        vector: p, [t, state].
        constant: c, [t].
    """

    matrix: Float[Tensor, "T+1 n n"]
    vector: Float[Tensor, "T+1 n"]
    constant: Float[Tensor, " T+1"]

    def __call__(self, state: Float[Tensor, "*b n"], t: int = 0) -> Float[Tensor, "*b"]:
        """V_t of states, reward units."""
        linear = state @ self.vector[t] + self.constant[t]
        return linear - ((state @ self.matrix[t]) * state).sum(-1)
