"""What the networks over states share: how a state and a time become a vector, and the layers over it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ppl_control.mdp.validation import as_tensor
from ppl_control.policies.arguments import as_indices, as_time, as_vectors
from ppl_control.policies.base import Time
from ppl_control.randomness import RandomStream
from ppl_control.settings import WIDEST, floating_type, layer_widths, one_of, size_of, whole

__all__ = ["StateInputs", "StateNetwork"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}
FUNCTIONS = {"tanh": torch.tanh, "relu": torch.relu}


class StateInputs(nn.Module):
    """States, and where there is a horizon times, as vectors for a network.

    Args:
        num_states: S, for integer states fed as one-hot vectors; or
        features: shape [S, F], one row a state; or
        num_features: F, where the state itself is a vector [..., F]; 0 where it is a single number [...].
        horizon: T: the vector ends in t / T; None: no time in it.
        dtype: floating-point type.

    Raises:
        ValueError: not exactly one of ``num_states``, ``features`` and ``num_features``; at the call, a state
            of another size or none of the indices, or where there is a horizon a time outside 0 … T.
    """

    def __init__(
        self,
        *,
        num_states: int | None = None,
        features: Tensor | None = None,
        num_features: int | None = None,
        horizon: int | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        if sum(given is not None for given in (num_states, features, num_features)) != 1:
            raise ValueError("give exactly one of num_states, features and num_features")
        num_states = None if num_states is None else size_of("num_states", num_states)
        num_features = None if num_features is None else whole("num_features", num_features, 0, WIDEST)
        horizon = None if horizon is None else size_of("horizon", horizon)
        floating_type("dtype", dtype)
        table = None
        if num_states is not None:
            table = torch.eye(num_states, dtype=dtype)
        elif features is not None:
            table = as_tensor("features", features, dtype)
            if table.ndim != 2 or 0 in table.shape or not bool(table.isfinite().all()):
                raise ValueError(f"features: expected finite numbers of shape [S, F], got shape {list(table.shape)}")
        self.register_buffer("features", table)
        self.settings: dict[str, Any] = {
            "num_states": num_states,
            "features": None if num_states is not None else table,
            "num_features": num_features,
            "horizon": horizon,
            "dtype": dtype,
        }
        self.horizon, self.dtype, self.num_features = horizon, dtype, num_features
        self.state_ndim = int(bool(num_features))
        self.width = (max(num_features or 0, 1) if table is None else table.shape[1]) + (horizon is not None)

    def forward(self, state: Tensor, t: Time = None) -> Float[Tensor, "*batch width"]:
        """One vector a state; ``state`` holds integer indices, numbers, or vectors [..., F]."""
        table: Tensor | None = self.features  # pyright: ignore[reportAssignmentType]
        inputs = as_vectors(state, self.dtype) if table is None else table[as_indices(state, len(table), table.device)]
        if self.num_features == 0:
            inputs = inputs.unsqueeze(-1)
        elif self.num_features is not None and inputs.shape[-1:] != (self.num_features,):
            raise ValueError(f"state: expected shape [..., {self.num_features}], got {list(inputs.shape)}")
        if self.horizon is not None:
            t = as_time(t, self.horizon, inputs.device)  # values are asked for at the horizon too
            clock = torch.as_tensor(t, dtype=inputs.dtype, device=inputs.device) / self.horizon
            inputs = torch.cat([inputs, clock.expand(inputs.shape[:-1]).unsqueeze(-1)], -1)
        return inputs


class StateNetwork(nn.Module):
    """A multilayer perceptron over ``StateInputs``, whose outputs start at 0 for every state.

    Args:
        inputs: how a state becomes a vector.
        outputs: numbers for each state.
        hidden: widths of the hidden layers.
        activation: ``"tanh"`` or ``"relu"``, between the layers.
        seed: seed of the initial weights.

    Raises:
        ValueError: a width below 1, or no such activation.
    """

    def __init__(
        self,
        inputs: StateInputs,
        outputs: int,
        *,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        seed: int = 0,
    ) -> None:
        super().__init__()
        one_of("activation", activation, list(ACTIVATIONS))
        self.hidden = list(layer_widths("hidden", hidden))
        lengths = [inputs.width, *self.hidden]
        with RandomStream(seed):
            layers: list[nn.Module] = []
            for fan_in, fan_out in pairwise(lengths):
                layers += [nn.Linear(fan_in, fan_out, dtype=inputs.dtype), ACTIVATIONS[activation]()]
            head = nn.Linear(lengths[-1], outputs, dtype=inputs.dtype)
        nn.init.zeros_(head.weight)  # every state starts alike, so that no action is ruled out by chance
        nn.init.zeros_(head.bias)
        self.inputs, self.layers, self.head = inputs, nn.Sequential(*layers), head
        self.activation = activation

    def forward(self, state: Tensor, t: Time = None) -> Float[Tensor, "*batch outputs"]:
        """The outputs for each state."""
        return self.head(self.layers(self.inputs(state, t)))

    def outputs_of(self, values: Sequence[Tensor], state: Tensor, t: Time = None) -> Float[Tensor, "*batch outputs"]:
        """The outputs that other parameters give, as ``parameters()`` lists them: a function that can be compiled."""
        x = self.inputs(state, t)
        *layers, head = zip(values[::2], values[1::2], strict=True)
        for weight, bias in layers:
            x = FUNCTIONS[self.activation](linear(x, weight, bias))
        return linear(x, *head)
