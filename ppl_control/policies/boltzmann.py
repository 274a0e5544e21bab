"""A policy that is nothing but its Q: the softmax of a network's action values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.policies.base import Policy, Time
from ppl_control.policies.network import StateInputs, StateNetwork
from ppl_control.settings import real, shown, size_of

__all__ = ["BoltzmannMLP"]


class BoltzmannMLP(Policy):
    """π(a | s, t) ∝ π0(a | s, t) exp(Q(s, a, t) / α), Q a multilayer perceptron with one output an action.

    Args:
        num_actions: A.
        temperature: α, units of Q per nat.
        prior: π0, a policy over the same actions; None: the same for all actions.
        num_states: S, for integer states fed as one-hot vectors; or
        features: shape [S, F], one row a state; or
        num_features: F, where the state itself is a vector [..., F]; 0 where it is a single number [...].
        horizon: T, makes Q depend on time; None: stationary.
        hidden: widths of the hidden layers.
        activation: ``"tanh"`` or ``"relu"``, between the layers.
        seed: seed of the initial weights; Q starts at 0 everywhere, the policy at π0.
        dtype: floating-point type.

    Raises:
        ValueError: a temperature that is not positive, not exactly one of ``num_states``, ``features`` and
            ``num_features``; at the call, a missing time where there is a horizon.

    Example:
        >>> policy = BoltzmannMLP(2, temperature=0.1, num_features=4)
        >>> policy(torch.zeros(3, 4)).probs[0].tolist()
        [0.5, 0.5]
    """

    def __init__(
        self,
        num_actions: int,
        *,
        temperature: float,
        prior: nn.Module | None = None,
        num_states: int | None = None,
        features: Tensor | None = None,
        num_features: int | None = None,
        horizon: int | None = None,
        hidden: Sequence[int] = (64, 64),
        activation: str = "relu",
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        temperature = real("temperature", temperature, above=0)
        if prior is not None and not isinstance(prior, nn.Module):
            raise ValueError(f"prior: expected a policy, got {shown(prior)}")
        num_actions = size_of("num_actions", num_actions)
        inputs = StateInputs(
            num_states=num_states, features=features, num_features=num_features, horizon=horizon, dtype=dtype
        )
        self.network = StateNetwork(inputs, num_actions, hidden=hidden, activation=activation, seed=seed)
        self.prior, self.temperature = prior, float(temperature)
        self.settings = {
            "num_actions": num_actions,
            "temperature": self.temperature,
            "prior": prior,
            **inputs.settings,
            "hidden": self.network.hidden,
            "activation": activation,
        }
        self.horizon, self.state_ndim = inputs.horizon, inputs.state_ndim

    def q(self, state: Tensor, t: Time = None) -> Float[Tensor, "*batch A"]:
        """Q(state, ·, t), reward units."""
        return self.network(state, t)

    def forward(self, state: Tensor, t: Time = None) -> Categorical:
        """π(· | state, t); ``state`` holds integer indices, or vectors [..., F]."""
        q = self.q(state, t)
        logits = (q - q.amax(-1, keepdim=True)) / self.temperature  # a tiny α must not cost Q its digits
        return Categorical(logits=logits if self.prior is None else logits + self.prior(state, t).logits)
