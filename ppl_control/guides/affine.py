"""Dynamics that are affine with Gaussian noise, one set a step: what an exact posterior believes."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.mdp.gaussian import Gaussian
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP

__all__ = ["AffineGaussianDynamics"]


class AffineGaussianDynamics(nn.Module):
    """q(x₀) = N(m, S) and q(x_{t+1}|x,u,t) = N(A_t x + B_t u + b_t, C_t); covariances may be singular.

    Args:
        A: index order [t, next state, state].
        B: index order [t, next state, action].
        offset: b, [t, next state].
        covariance: C.
        initial_mean: m.
        initial_covariance: S.

    Raises:
        ValueError: shapes that do not fit.
    """

    A: Tensor
    B: Tensor
    offset: Tensor
    covariance: Tensor
    initial_mean: Tensor
    initial_covariance: Tensor

    def __init__(
        self,
        A: Tensor,
        B: Tensor,
        offset: Tensor,
        covariance: Tensor,
        initial_mean: Tensor,
        initial_covariance: Tensor,
    ) -> None:
        super().__init__()
        given = {"A": A, "B": B, "offset": offset, "covariance": covariance, "initial_mean": initial_mean,
                 "initial_covariance": initial_covariance}  # fmt: skip
        if A.ndim != 3 or B.ndim != 3:
            raise ValueError(
                f"A, B: expected shapes [T, n, n] and [T, n, m], got {tuple(A.shape)} and {tuple(B.shape)}"
            )
        times, n, m = B.shape
        shapes = {"A": (times, n, n), "B": (times, n, m), "offset": (times, n), "covariance": (times, n, n),
                  "initial_mean": (n,), "initial_covariance": (n, n)}  # fmt: skip
        for name, table in given.items():
            if tuple(table.shape) != shapes[name]:
                raise ValueError(f"{name}: expected shape {shapes[name]}, got {tuple(table.shape)}")
            self.register_buffer(name, table.detach().clone())
        self._noise: list[Gaussian] = []
        self._noise_of: tuple[int, int] | None = None

    @classmethod
    def of(cls, mdp: LinearGaussianMDP, horizon: int) -> AffineGaussianDynamics:
        """The true dynamics of a linear-Gaussian MDP, the same at every step."""
        steps = [
            table.expand(horizon, *table.shape) for table in (mdp.A, mdp.B, mdp.initial_mean, mdp.noise_covariance)
        ]
        return cls(steps[0], steps[1], torch.zeros_like(steps[2]), steps[3], mdp.initial_mean, mdp.initial_covariance)

    @property
    def horizon(self) -> int:
        """T."""
        return self.A.shape[0]

    @property
    def settings(self) -> dict[str, Tensor]:
        """What makes these dynamics again."""
        return {name: table.detach().clone() for name, table in self.named_buffers()}

    def tables(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """A, B, offset, covariance, initial mean and initial covariance."""
        return self.A, self.B, self.offset, self.covariance, self.initial_mean, self.initial_covariance

    def initial(self, truth: Any = None) -> Gaussian:
        """q(x₀), whatever the truth."""
        return Gaussian(self.initial_mean, self.initial_covariance)

    def transition(
        self, state: Float[Tensor, "*b n"], action: Float[Tensor, "*b m"], t: int, truth: Any = None
    ) -> Gaussian:
        """q(x_{t+1}|x_t,u_t).

        Raises:
            ValueError: a time outside 0 … T − 1.
        """
        if not 0 <= t < self.horizon:
            raise ValueError(f"t: these dynamics have times 0 … {self.horizon - 1}, got {t}")
        mean = state @ self.A[t].mT + action @ self.B[t].mT + self.offset[t]
        return self._factored()[t].at(mean)

    def _factored(self) -> list[Gaussian]:
        """The noise of every step, factored once for each content of the buffer."""
        content = (self.covariance.data_ptr(), self.covariance._version)
        if self._noise_of != content:
            nothing = torch.zeros_like(self.initial_mean)
            self._noise = [Gaussian(nothing, covariance) for covariance in self.covariance.unbind(0)]
            self._noise_of = content
        return self._noise
