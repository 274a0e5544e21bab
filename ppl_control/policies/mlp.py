"""A multilayer perceptron over states, for finitely many actions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.policies.base import Policy, Time
from ppl_control.randomness import RandomStream

__all__ = ["CategoricalMLP"]


class CategoricalMLP(Policy):
    """π(a | s, t) = softmax(MLP(features(s), t / T)).

    Args:
        num_actions: A.
        num_states: S, for integer states fed as one-hot vectors; or
        features: shape [S, F], one row a state; or
        num_features: F, where the state itself is a vector [..., F]; 0 where it is a single number [...].
        horizon: T, makes the policy depend on time; None: stationary.
        hidden: widths of the hidden layers.
        seed: seed of the initial weights.
        dtype: floating-point type.

    Raises:
        ValueError: not exactly one of ``num_states``, ``features`` and ``num_features``; at the call, a
            missing time where there is a horizon.
    """

    def __init__(
        self,
        num_actions: int,
        *,
        num_states: int | None = None,
        features: Tensor | None = None,
        num_features: int | None = None,
        horizon: int | None = None,
        hidden: Sequence[int] = (64, 64),
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        if num_actions < 1:
            raise ValueError(f"num_actions: expected at least 1, got {num_actions!r}")
        if sum(given is not None for given in (num_states, features, num_features)) != 1:
            raise ValueError("give exactly one of num_states, features and num_features")
        rows = torch.eye(num_states) if num_states is not None else features
        table = None if rows is None else torch.as_tensor(rows, dtype=dtype)
        if table is not None and table.ndim != 2:
            raise ValueError(f"features: expected shape [S, F], got {list(table.shape)}")
        self.register_buffer("features", table)
        self.settings = {
            "num_actions": num_actions,
            "num_states": num_states,
            "features": None if num_states is not None else table,
            "num_features": num_features,
            "horizon": horizon,
            "hidden": list(hidden),
            "dtype": dtype,
        }
        self.horizon, self.dtype = horizon, dtype
        self.single_number = num_features == 0
        self.state_ndim = int(bool(num_features))
        width = max(num_features or 0, 1) if table is None else table.shape[1]
        widths = [width + (horizon is not None), *hidden]
        with RandomStream(seed):
            layers: list[nn.Module] = []
            for fan_in, fan_out in pairwise(widths):
                layers += [nn.Linear(fan_in, fan_out, dtype=dtype), nn.Tanh()]
            head = nn.Linear(widths[-1], num_actions, dtype=dtype)
        nn.init.zeros_(head.weight)  # start at the uniform policy: no action is ruled out by chance
        nn.init.zeros_(head.bias)
        self.net = nn.Sequential(*layers, head)

    def forward(self, state: Tensor, t: Time = None) -> Categorical:
        """π(· | state, t); ``state`` holds integer indices, or vectors [..., F]."""
        table: Tensor | None = self.features  # pyright: ignore[reportAssignmentType]
        inputs = state.to(self.dtype) if table is None else table[state.long()]
        if self.single_number:
            inputs = inputs.unsqueeze(-1)
        if self.horizon is not None:
            if t is None:
                raise ValueError("t: this policy depends on time and was called without it")
            clock = torch.as_tensor(t, dtype=inputs.dtype, device=inputs.device) / self.horizon
            inputs = torch.cat([inputs, clock.expand(inputs.shape[:-1]).unsqueeze(-1)], -1)
        return Categorical(logits=self.net(inputs))
