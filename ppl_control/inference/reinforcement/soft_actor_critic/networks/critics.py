"""Twin critics: two networks in one stack of matrices, so that both take one product a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.policies.network import StateInputs
from ppl_control.settings import layer_widths

__all__ = ["ActionCritics", "StateCritics", "Twins"]


class Twins(nn.Module):
    """Two perceptrons with ReLU layers side by side: [B, width] → [2, B, outputs].

    Args:
        width: length of an input.
        outputs: numbers for each input.
        hidden: widths of the hidden layers.
        generator: of the initial weights, uniform within ±1/√(fan in).
    """

    def __init__(self, width: int, outputs: int, hidden: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        widths = [width, *layer_widths("hidden", hidden), outputs]

        def uniform(fan_in: int, *shape: int) -> nn.Parameter:
            reach = 1 / math.sqrt(fan_in)
            return nn.Parameter(torch.empty(2, *shape).uniform_(-reach, reach, generator=generator))

        self.values = nn.ParameterList()  # weight and bias of each layer in turn
        for fan_in, fan_out in pairwise(widths):
            self.values += [uniform(fan_in, fan_in, fan_out), uniform(fan_in, 1, fan_out)]

    @staticmethod
    def outputs_of(values: Sequence[Tensor], inputs: Float[Tensor, "B width"]) -> Float[Tensor, "2 B outputs"]:
        """Both networks' outputs with these parameters, as ``parameters()`` lists them."""
        x = inputs.expand(2, *inputs.shape)
        *layers, (weight, bias) = zip(values[::2], values[1::2], strict=True)
        for inner, offset in layers:
            x = torch.relu(torch.bmm(x, inner) + offset)  # the bias apart: faster than baddbmm, which copies it first
        return torch.bmm(x, weight) + bias


class ActionCritics(nn.Module):
    """Q₁ and Q₂ of a state and an action between bounds, reward units.

    Args:
        features: how observations are read, arguments of ``StateInputs``.
        low: the smallest action, [m]; the networks see actions within [−1, 1].
        high: the largest action, [m].
        hidden: widths of the hidden layers.
        seed: of the initial weights.
    """

    centre: Tensor
    reach: Tensor

    def __init__(
        self, features: dict[str, Any], low: Tensor, high: Tensor, hidden: Sequence[int], seed: int | torch.Generator
    ) -> None:
        super().__init__()
        self.inputs = StateInputs(**features, dtype=torch.float32)
        self.twins = Twins(self.inputs.width + len(low), 1, hidden, _generator(seed))
        self.register_buffer("centre", (low + high) / 2)
        self.register_buffer("reach", (high - low) / 2)

    def forward(self, state: Tensor, action: Float[Tensor, "B m"]) -> Float[Tensor, "2 B"]:
        """Both critics' values, reward units."""
        return self.q_of(list(self.twins.values), state, action)

    def q_of(self, values: Sequence[Tensor], state: Tensor, action: Float[Tensor, "B m"]) -> Float[Tensor, "2 B"]:
        """The same with other parameters, as ``parameters()`` lists them."""
        unit = (action - self.centre) / self.reach
        return self.twins.outputs_of(values, torch.cat([self.inputs(state), unit], -1)).squeeze(-1)


class StateCritics(nn.Module):
    """Q₁ and Q₂ of a state for every one of A actions, reward units.

    Args:
        features: how observations are read, arguments of ``StateInputs``.
        num_actions: A.
        hidden: widths of the hidden layers.
        seed: of the initial weights.
    """

    def __init__(
        self, features: dict[str, Any], num_actions: int, hidden: Sequence[int], seed: int | torch.Generator
    ) -> None:
        super().__init__()
        self.inputs = StateInputs(**features, dtype=torch.float32)
        self.twins = Twins(self.inputs.width, num_actions, hidden, _generator(seed))

    def forward(self, state: Tensor) -> Float[Tensor, "2 B A"]:
        """Both critics' values, reward units."""
        return self.q_of(list(self.twins.values), state)

    def q_of(self, values: Sequence[Tensor], state: Tensor) -> Float[Tensor, "2 B A"]:
        """The same with other parameters, as ``parameters()`` lists them."""
        return self.twins.outputs_of(values, self.inputs(state))


def _generator(seed: int | torch.Generator) -> torch.Generator:
    return seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
