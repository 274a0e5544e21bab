"""Gaussians by their noise, value = mean + L·ε: a belief in luck is a belief about ε."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from pyro.distributions import Delta
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor
from torch.distributions import Distribution, constraints, register_kl

from ppl_control.mdp.gaussian import Gaussian

__all__ = ["TiltedGaussian", "Whitened", "whiten"]


@dataclass(frozen=True, eq=False)
class Whitened:
    """value = mean + L·ε with ε ~ N(0, I).

    Attributes:
        mean: [*b, n].
        root: L [*b, n, n], or its diagonal [*b, n].
        inverse: L⁻¹ likewise; on the directions without noise 0.
        diagonal: whether L is given by its diagonal.
    """

    mean: Tensor
    root: Tensor
    inverse: Tensor
    diagonal: bool

    def place(self, noise: Float[Tensor, "*b n"]) -> Float[Tensor, "*b n"]:
        """The value that noise makes."""
        return self.mean + self._apply(self.root, noise)

    def noise(self, value: Float[Tensor, "*b n"]) -> Float[Tensor, "*b n"]:
        """The noise that makes a value."""
        return self._apply(self.inverse, value - self.mean)

    def _apply(self, matrix: Tensor, vector: Tensor) -> Tensor:
        return matrix * vector if self.diagonal else (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def whiten(distribution: Any, what: str) -> Whitened:
    """The noise form of a Gaussian over vectors (or of a point, whose noise does nothing).

    Raises:
        ValueError: another distribution, named by ``what``.
    """
    if isinstance(distribution, torch.distributions.Independent) and isinstance(
        distribution.base_dist, torch.distributions.Normal
    ):
        base = distribution.base_dist
        return Whitened(base.loc, base.scale, 1 / base.scale, True)
    if isinstance(distribution, torch.distributions.MultivariateNormal):
        root = distribution.scale_tril
        return Whitened(distribution.loc, root, torch.linalg.inv(root), False)
    if isinstance(distribution, Gaussian):
        factor = distribution._factor
        return Whitened(distribution.mean, factor.root, factor.inverse, False)
    if isinstance(distribution, Delta):
        nothing = torch.zeros_like(distribution.v)
        return Whitened(distribution.v, nothing, nothing, True)
    raise ValueError(
        f"{what}: {type(distribution).__name__} is no Gaussian, and belief in luck is written for Gaussian noise; "
        "use ParticlePlanning() for the posterior, or FixedDynamics() with estimator='score'"
    )


class TiltedGaussian(TorchDistribution):
    """A Gaussian whose noise is believed to be ε ~ N(shift, diag(exp(log_scale))²) instead of N(0, I).

    KL(tilted ‖ base) = KL(N(shift, …) ‖ N(0, I)) holds for any L, also a singular one.

    Args:
        base: the Gaussian that is tilted.
        shift: mean of the noise, [*b, n].
        log_scale: log of its scales, [*b, n].
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]
    support = constraints.real_vector  # pyright: ignore[reportAssignmentType]
    has_rsample = True

    def __init__(self, base: Any, shift: Tensor, log_scale: Tensor) -> None:
        self.base = base
        self.form = whiten(base, "transition")
        batch = torch.broadcast_shapes(base.batch_shape, shift.shape[:-1])
        self.shift, self.log_scale = shift.expand(*batch, -1), log_scale.expand(*batch, -1)
        super().__init__(batch, base.event_shape, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> TiltedGaussian:
        """The same belief with a larger batch."""
        shape = torch.Size(batch_shape)
        base = self.base.expand(shape)
        return TiltedGaussian(base, self.shift.expand(*shape, -1), self.log_scale.expand(*shape, -1))

    @property
    def mean(self) -> Tensor:
        """Its centre."""
        return self.form.place(self.shift)

    mode = mean

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws with a gradient to shift and scale."""
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=self.shift.dtype, device=self.shift.device)
        return self.form.place(self.shift + self.log_scale.exp() * noise)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density, nats, with respect to the base's own measure: its density times the noise's ratio.

        Directions without noise carry no information about ε and leave no trace in the ratio.
        """
        noise = self.form.noise(value)
        ratio = 0.5 * (noise**2 - ((noise - self.shift) / self.log_scale.exp()) ** 2) - self.log_scale
        return self.base.log_prob(value) + torch.where(self._moves, ratio, 0.0).sum(-1)

    @property
    def _moves(self) -> Tensor:
        """Which entries of ε leave a trace in the value; all of them where L is regular."""
        root = self.form.root
        return root != 0 if self.form.diagonal else (root != 0).any(-2)

    def kl_to_base(self) -> Float[Tensor, "*b"]:
        """KL to the Gaussian without the tilt, nats."""
        scale = (2 * self.log_scale).exp()
        return 0.5 * (scale + self.shift**2 - 1 - 2 * self.log_scale).sum(-1)


@register_kl(TiltedGaussian, Distribution)
def _kl_tilted(q: TiltedGaussian, p: Distribution) -> Tensor:
    if p is not q.base:
        raise NotImplementedError
    return q.kl_to_base()
