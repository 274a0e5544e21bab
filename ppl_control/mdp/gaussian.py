"""Gaussians whose covariance may be singular, down to a point."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor
from torch.distributions import MultivariateNormal, constraints, register_kl
from torch.distributions.utils import _standard_normal

from ppl_control.mdp.semidefinite import Factor, apply, divergence, factorise

__all__ = ["Gaussian"]


class Gaussian(TorchDistribution):
    """N(mean, covariance) over ℝⁿ for positive semi-definite covariances; covariance 0 is a point.

    Where the covariance is singular, the density is the one on its support, with the product of the eigenvalues
    that are not 0 as determinant, and 0 elsewhere.

    Args:
        mean: shape [*b, n].
        covariance: shape [n, n], factored once for the whole batch, or [*b, n, n].
        validate_args: check arguments and values; None: torch's default.

    Raises:
        ValueError: shapes that do not fit, a covariance that is not symmetric or has a negative eigenvalue, or a
            singular one that requires a gradient.

    Example:
        >>> line = Gaussian(torch.zeros(2), torch.tensor([[1.0, 1.0], [1.0, 1.0]]))
        >>> line.log_prob(torch.tensor([[1.0, 1.0], [1.0, 2.0]]))
        tensor([-1.7655,    -inf])
    """

    arg_constraints = {"mean": constraints.real_vector}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]
    support = constraints.real_vector  # pyright: ignore[reportAssignmentType]
    has_rsample = True
    _factor: Factor

    def __init__(self, mean: Any, covariance: Any, *, validate_args: bool | None = None) -> None:
        covariance = torch.as_tensor(covariance)
        mean = torch.as_tensor(mean, dtype=covariance.dtype, device=covariance.device)
        n = mean.shape[-1] if mean.ndim else 0
        if mean.ndim < 1 or not covariance.is_floating_point() or covariance.shape[-2:] != (n, n):
            raise ValueError(
                f"covariance: expected floats of shape [*b, n, n] for a mean [*b, n], got {tuple(covariance.shape)} "
                f"of {covariance.dtype} for a mean {tuple(mean.shape)}"
            )
        size = covariance.detach().abs().amax()
        if not bool(torch.isfinite(size)):
            raise ValueError(f"covariance: expected finite numbers, got {covariance.tolist()}")
        skew = (covariance.detach() - covariance.detach().mT).abs().amax()
        if bool(skew > math.sqrt(torch.finfo(covariance.dtype).eps) * size):
            raise ValueError(f"covariance: expected a symmetric matrix, got {covariance.tolist()}")
        self._assemble(mean, factorise(covariance), validate_args)

    def _assemble(self, mean: Tensor, factor: Factor, validate_args: bool | None = None) -> None:
        batch = mean.shape[:-1]
        if factor.matrix.ndim > 2:
            batch = torch.broadcast_shapes(batch, factor.matrix.shape[:-2])
        self._mean, self._factor = mean.expand(*batch, mean.shape[-1]), factor
        super().__init__(batch, mean.shape[-1:], validate_args=validate_args)

    def at(self, mean: Float[Tensor, "*b n"]) -> Gaussian:
        """The same covariance around another mean; nothing is factored again."""
        moved = self.__new__(Gaussian)
        moved._assemble(mean, self._factor, self._validate_args)
        return moved

    def expand(self, batch_shape: Any, _instance: Any = None) -> Gaussian:
        """The same distribution with a larger batch."""
        batch_shape = torch.Size(batch_shape)
        return self.at(self._mean.expand(*batch_shape, *self.event_shape))

    @property
    def mean(self) -> Float[Tensor, "*b n"]:
        """Its centre."""
        return self._mean

    mode = mean

    @property
    def covariance_matrix(self) -> Float[Tensor, "*b n n"]:
        """Σ for the whole batch."""
        return self._factor.matrix.expand(*self.batch_shape, *self.event_shape, *self.event_shape)

    @property
    def variance(self) -> Float[Tensor, "*b n"]:
        """The diagonal of Σ."""
        return self.covariance_matrix.diagonal(dim1=-2, dim2=-1)

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*s n"]:
        """Draws with a gradient to the mean and to a positive definite covariance."""
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = _standard_normal(shape, dtype=self._mean.dtype, device=self._mean.device)
        return self._mean + apply(self._factor.root, noise)

    def log_prob(self, value: Tensor) -> Float[Tensor, "*s"]:
        """Log-density on the support, nats; −∞ off it."""
        if self._validate_args:
            self._validate_sample(value)
        factor, step = self._factor, value - self._mean
        squares = apply(factor.inverse, step).square().sum(-1)
        inside = -0.5 * (squares + factor.rank * math.log(2 * math.pi)) - factor.half_log_det
        if factor.regular:
            return inside
        on_support = factor.supports(step.detach(), (value.abs() + self._mean.abs()).detach())
        return torch.where(on_support, inside, -torch.inf)

    def entropy(self) -> Float[Tensor, "*b"]:
        """Differential entropy in ℝⁿ, nats; −∞ where the covariance is singular."""
        n, factor = self.event_shape[0], self._factor
        value = 0.5 * n * (1 + math.log(2 * math.pi)) + factor.half_log_det
        if not factor.regular:
            value = torch.where(factor.rank == n, value, -torch.inf)
        return value.expand(self.batch_shape)

    def __repr__(self) -> str:
        return f"Gaussian(batch {tuple(self.batch_shape)}, {self.event_shape[0]} dimensions)"


@register_kl(Gaussian, Gaussian)
def _kl(q: Gaussian, p: Gaussian) -> Tensor:
    """KL(q ‖ p), nats; +∞ where the supports differ."""
    return divergence(q._factor, p._factor, q.mean - p.mean, q.mean.abs() + p.mean.abs())


@register_kl(MultivariateNormal, Gaussian)
def _kl_from_normal(q: MultivariateNormal, p: Gaussian) -> Tensor:
    return _kl(_as_gaussian(q), p)


@register_kl(Gaussian, MultivariateNormal)
def _kl_to_normal(q: Gaussian, p: MultivariateNormal) -> Tensor:
    return _kl(q, _as_gaussian(p))


def _as_gaussian(normal: MultivariateNormal) -> Gaussian:
    gaussian = Gaussian.__new__(Gaussian)
    lower = normal._unbroadcasted_scale_tril
    rank = torch.full(lower.shape[:-2], lower.shape[-1], device=lower.device)
    eps = torch.finfo(lower.dtype).eps
    gaussian._assemble(normal.loc, Factor(lower @ lower.mT, lower, rank, True, eps), False)
    return gaussian
