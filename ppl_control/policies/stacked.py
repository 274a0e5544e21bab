"""Distributions of several families side by side, as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor
from torch.distributions import Distribution

from ppl_control.policies.base import mode_of

__all__ = ["Stacked"]


class Stacked(TorchDistribution):
    """n distributions without batches, over vectors of one length, as one of batch shape [n].

    Args:
        parts: the distributions.
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    def __init__(self, parts: Sequence[Distribution]) -> None:
        self.parts = tuple(parts)
        super().__init__(torch.Size([len(self.parts)]), self.parts[0].event_shape, validate_args=False)

    @property
    def support(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The first part's."""
        return self.parts[0].support

    @property
    def mode(self) -> Tensor:
        """Every part's mode."""
        return torch.stack([mode_of(part) for part in self.parts])

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws [*s, n, m]."""
        return torch.stack([part.sample(torch.Size(sample_shape)) for part in self.parts], -2)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density, nats, [*s, n]."""
        return torch.stack([part.log_prob(row) for part, row in zip(self.parts, value.unbind(-2), strict=True)], -1)
