"""Normalising flows from zuko as Pyro distributions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.distributions import Transform, constraints

from ppl_control.randomness import RandomStream

# Importing zuko switches off torch's checks of arguments, for the whole process: they stay as they were.
_checks = torch.distributions.Distribution._validate_args
from zuko.flows import MaskedAutoregressiveTransform  # noqa: E402
from zuko.lazy import LazyComposedTransform, LazyTransform  # noqa: E402
from zuko.transforms import ComposedTransform, MonotonicAffineTransform, MonotonicRQSTransform  # noqa: E402

torch.distributions.Distribution.set_default_validate_args(_checks)

__all__ = ["FlowDistribution", "affine_layer", "chained", "composed", "spline_layers"]


class FlowDistribution(TorchDistribution):
    """x = f(z), z ~ base: log p(x) = log base(z) − log |det ∂f/∂z|.

    A draw is kept with its log-density, so that scoring one's own sample inverts nothing.

    Args:
        transform: f, from noise to actions, as zuko's lazy transforms return it; its context broadcasts
            against the base's batch.
        base: the noise, event shape [D].
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]
    support = constraints.real_vector  # pyright: ignore[reportAssignmentType]
    has_rsample = True

    def __init__(self, transform: Transform, base: Any, validate_args: bool | None = None) -> None:
        self.transform, self.base = transform, base
        self._drawn: tuple[Tensor | None, Tensor | None, bool] = (None, None, False)
        super().__init__(base.batch_shape, base.event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> FlowDistribution:
        """The same flow for a larger batch."""
        return FlowDistribution(self.transform, self.base.expand(torch.Size(batch_shape)), self._validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws, differentiable in the flow's parameters."""
        noise = self.base.rsample(torch.Size(sample_shape))
        value, log_determinant = self._forward(noise)
        self._drawn = value, self.base.log_prob(noise) - log_determinant, torch.is_grad_enabled()
        return value

    def log_prob(self, value: Tensor) -> Tensor:
        """The exact log-density, nats."""
        drawn, log_density, with_graph = self._drawn
        # A draw without its graph would pass for a constant: the gradient of its density needs the inverse.
        if value is drawn and (with_graph or not torch.is_grad_enabled()):
            return cast(Tensor, log_density)
        if self._validate_args:
            self._validate_sample(value)
        noise = cast(Tensor, self.transform.inv(value))
        return self.base.log_prob(noise) - self._forward(noise)[1]

    def _forward(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        return self.transform.call_and_ladj(noise)  # pyright: ignore[reportAttributeAccessIssue]


def affine_layer(features: int, context: int = 0, *, hidden: Sequence[int] = (64, 64), seed: int = 0) -> LazyTransform:
    """Shift and scale of each entry by the noise before it and the context; starts as the identity.

    References:
        Kingma et al. (2016, arXiv 1606.04934).
    """
    make = partial(MaskedAutoregressiveTransform, univariate=MonotonicAffineTransform, shapes=[(), ()])
    with RandomStream(seed):
        return _identity(make(features, context, hidden_features=tuple(hidden), activation=nn.Tanh))


def spline_layers(
    features: int,
    context: int = 0,
    *,
    transforms: int,
    passes: int | None = None,
    bins: int = 8,
    hidden: Sequence[int] = (64, 64),
    seed: int = 0,
) -> list[LazyTransform]:
    """Monotonic rational-quadratic splines on [−5, 5], each entry given others; they start as the identity.

    Forward, from noise, takes one evaluation of each network; the inverse takes ``passes`` more.

    Args:
        features: D.
        context: length of the context.
        transforms: how many, the entries in reversed order every other time.
        passes: 2: coupling, one half given the other; None: D, each entry given all before it.
        bins: pieces of each spline.
        hidden: widths of the networks' hidden layers.
        seed: seed of the networks' weights.

    References:
        Durkan et al. (2019, arXiv 1906.04032).
    """
    make = partial(
        MaskedAutoregressiveTransform, univariate=MonotonicRQSTransform, shapes=[(bins,), (bins,), (bins - 1,)]
    )
    orders: list[Any] = [torch.arange(features), torch.arange(features).flip(0)]
    with RandomStream(seed):
        layers = [
            make(features, context, passes, orders[i % 2], hidden_features=tuple(hidden), activation=nn.Tanh)
            for i in range(transforms)
        ]
    return [_identity(layer) for layer in layers]


def chained(layers: Sequence[LazyTransform], dtype: torch.dtype) -> LazyTransform:
    """The layers one after another, from noise to actions; called with a context it gives the transform."""
    return LazyComposedTransform(*layers).to(dtype)


def composed(*transforms: Transform) -> Transform:
    """The transforms one after another, first one first."""
    return ComposedTransform(*transforms)


def _identity(layer: LazyTransform) -> LazyTransform:
    """The layer with its outputs set to 0 for every input, where both kinds of transform are the identity."""
    with torch.no_grad():
        for last in _last_parameters(layer):
            last.zero_()
    return layer


def _last_parameters(layer: LazyTransform) -> list[nn.Parameter]:
    if hasattr(layer, "hyper"):  # a network gives the transform's parameters; else they are free
        return list(cast(nn.Sequential, layer.hyper)[-1].parameters())
    return list(layer.parameters())
