"""A multilayer perceptron over states, for finitely many actions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import Categorical
from torch import Tensor

from ppl_control.policies.base import Policy, Time
from ppl_control.policies.network import StateInputs, StateNetwork
from ppl_control.settings import size_of

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
        activation: ``"tanh"`` or ``"relu"``, between the layers.
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
        activation: str = "tanh",
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        num_actions = size_of("num_actions", num_actions)
        inputs = StateInputs(
            num_states=num_states, features=features, num_features=num_features, horizon=horizon, dtype=dtype
        )
        self.network = StateNetwork(inputs, num_actions, hidden=hidden, activation=activation, seed=seed)
        self.settings = {
            "num_actions": num_actions,
            **inputs.settings,
            "hidden": self.network.hidden,
            "activation": activation,
        }
        self.horizon, self.state_ndim = inputs.horizon, inputs.state_ndim

    def forward(self, state: Tensor, t: Time = None) -> Categorical:
        """π(· | state, t); ``state`` holds integer indices, or vectors [..., F]."""
        return Categorical(logits=self.network(state, t))
