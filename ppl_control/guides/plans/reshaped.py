"""Distributions over whole sequences of actions, made from distributions over one long vector."""

from __future__ import annotations

import torch
from pyro.distributions import TransformedDistribution  # pyright: ignore[reportAttributeAccessIssue]
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions.transforms import ReshapeTransform

__all__ = ["Reshaped", "as_sequence"]


class Reshaped(TransformedDistribution):
    """A distribution over vectors [T·m], seen as one over sequences [T, m]; what the base knows stays known."""

    @property
    def mode(self) -> Tensor:
        """The base's mode."""
        return self._reshaped(self.base_dist.mode)

    @property
    def mean(self) -> Tensor:
        """The base's mean."""
        return self._reshaped(self.base_dist.mean)

    @property
    def variance(self) -> Tensor:
        """The base's variance of each entry."""
        return self._reshaped(self.base_dist.variance)

    def entropy(self) -> Tensor:
        """The base's entropy, nats: a reshape changes no volume."""
        return self.base_dist.entropy()

    def _reshaped(self, value: Tensor) -> Tensor:
        return self.transforms[0](value)


def as_sequence(distribution: Distribution, horizon: int, action_dim: int) -> Reshaped:
    """The same distribution, t first, then the dimensions of an action."""
    shapes = torch.Size([horizon * action_dim]), torch.Size([horizon, action_dim])
    return Reshaped(distribution, [ReshapeTransform(*shapes, cache_size=1)])
