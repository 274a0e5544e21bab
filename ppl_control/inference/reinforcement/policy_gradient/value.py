"""The learned baseline: soft values to go, whatever their scale."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.policies.base import Time
from ppl_control.policies.network import StateInputs, StateNetwork

__all__ = ["ValueNetwork"]

RATE = 0.1  # weight of the newest targets in the running mean and scale


class ValueNetwork(nn.Module):
    """V(s, t) = mean + scale · MLP(s, t / T), reward units, with mean and scale of the targets met so far.

    So one learning rate serves rewards of any size. When mean and scale change, the last layer is changed with
    them so that no value does.

    Args:
        inputs: how a state becomes a vector.
        hidden: widths of the hidden layers.
        seed: seed of the initial weights.

    References:
        van Hasselt et al. (2016), arXiv 1602.07714 (Pop-Art).
    """

    mean: Tensor
    scale: Tensor
    seen: Tensor

    def __init__(self, inputs: StateInputs, *, hidden: Any = (64, 64), seed: int = 0) -> None:
        super().__init__()
        self.network = StateNetwork(inputs, 1, hidden=hidden, seed=seed)
        self.register_buffer("mean", torch.zeros((), dtype=inputs.dtype))
        self.register_buffer("scale", torch.ones((), dtype=inputs.dtype))
        self.register_buffer("seen", torch.tensor(False))

    def forward(self, state: Tensor, t: Time = None) -> Float[Tensor, " *batch"]:
        """V(s, t), reward units."""
        return self.mean + self.scale * self.network(state, t).squeeze(-1)

    def loss(self, state: Tensor, t: Time, target: Float[Tensor, " *batch"]) -> Tensor:
        """Half the mean squared error, in units of the scale."""
        error = self.network(state, t).squeeze(-1) - (target - self.mean) / self.scale
        return 0.5 * error.square().mean()

    @torch.no_grad()
    def rescale(self, target: Tensor) -> None:
        """Let mean and scale follow the targets, reward units, with every value as it was."""
        rate = RATE if bool(self.seen) else 1.0
        mean = self.mean + rate * (target.mean() - self.mean)
        deviation = target.std(correction=0).clamp(min=1e-6 * (1 + target.abs().max()))
        scale = self.scale + rate * (deviation - self.scale)
        head = self.network.head
        head.weight.mul_(self.scale / scale)
        head.bias.copy_((self.scale * head.bias + self.mean - mean) / scale)
        self.mean.copy_(mean)
        self.scale.copy_(scale)
        self.seen.fill_(True)
