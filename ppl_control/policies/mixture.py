"""Mixtures of Gaussians over actions: several ways to act in one state."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from pyro.distributions import Categorical, MixtureSameFamily  # pyright: ignore[reportAttributeAccessIssue]
from torch import Tensor
from torch.distributions import Distribution

from ppl_control.policies.base import Policy, Time
from ppl_control.policies.bounds import Bound, Bounds
from ppl_control.policies.gaussian import normal_from
from ppl_control.policies.network import StateInputs, StateNetwork
from ppl_control.randomness import RandomStream
from ppl_control.settings import size_of

__all__ = ["MixtureMLP"]


class MixtureMLP(Policy):
    """π(a | s, t) = Σ_k w_k N(μ_k, diag σ_k²), with (w, μ, σ) = MLP(s, t / T); optionally squashed into a box.

    The component is drawn, so there is no ``rsample``: gradients come by the score function. Starts at equal
    weights, with means drawn by the seed (equal components would stay equal for ever).
    ``mode`` is the densest of the components' means, an approximation of the peak (squashed where there are bounds).

    Args:
        num_features: n, the length of the state vector [..., n]; 0 where the state is a single number [...].
        action_dim: m.
        num_components: K.
        low: the smallest action, a number or shape [m]; None, with ``high``: no bounds.
        high: the largest action.
        horizon: T, makes the policy depend on time; None: stationary.
        hidden: widths of the hidden layers.
        seed: seed of the initial weights and means.
        dtype: floating-point type.

    Raises:
        ValueError: a size below 1, or bounds that are not finite or in the wrong order; at the call, a missing
            time where there is a horizon.
    """

    def __init__(
        self,
        *,
        num_features: int,
        action_dim: int,
        num_components: int = 4,
        low: Bound = None,
        high: Bound = None,
        horizon: int | None = None,
        hidden: Sequence[int] = (64, 64),
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        action_dim = size_of("action_dim", action_dim)
        num_components = size_of("num_components", num_components)
        inputs = StateInputs(num_features=num_features, horizon=horizon, dtype=dtype)
        self.bounds = Bounds(low, high, action_dim, dtype)
        outputs = num_components * (1 + 2 * action_dim)
        self.network = StateNetwork(inputs, outputs, hidden=hidden, seed=seed)
        # Half of the variance at the start lies between the components' means, half within each.
        self.spread = self.bounds.start_scale / math.sqrt(2)
        with RandomStream(seed), torch.no_grad():
            means = self.spread * torch.randn(num_components, action_dim, dtype=dtype)
            _split(self.network.head.bias, num_components)[1][:, :action_dim] = means
        self.settings = {
            "num_features": inputs.num_features,
            "action_dim": action_dim,
            "num_components": num_components,
            **self.bounds.settings,
            "horizon": inputs.horizon,
            "hidden": self.network.hidden,
            "dtype": dtype,
        }
        self.horizon, self.state_ndim, self.num_components = inputs.horizon, inputs.state_ndim, num_components

    def forward(self, state: Tensor, t: Time = None) -> Distribution:
        """π(· | state, t), event shape [m]."""
        logits, numbers = _split(self.network(state, t), self.num_components)
        components = normal_from(numbers, self.spread).to_event(1)
        return self.bounds(_Mixture(Categorical(logits=logits), components))


def _split(outputs: Tensor, num_components: int) -> tuple[Tensor, Tensor]:
    numbers = outputs[..., num_components:].unflatten(-1, (num_components, -1))
    return outputs[..., :num_components], numbers


class _Mixture(MixtureSameFamily):
    @property
    def mode(self) -> Tensor:
        """The densest of the components' means."""
        means = self.component_distribution.mean.movedim(-2, 0)  # [K, *batch, m]
        densest = self.log_prob(means).argmax(0)
        return means.movedim(0, -2).take_along_dim(densest[..., None, None], -2).squeeze(-2)
