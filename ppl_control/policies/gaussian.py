"""Gaussian actions whose mean and deviation a network reads from the state; free, or squashed between bounds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import Normal
from torch import Tensor
from torch.distributions import Distribution

from ppl_control.policies.base import Policy, Time
from ppl_control.policies.bounds import Bound, Bounds
from ppl_control.policies.network import StateInputs, StateNetwork
from ppl_control.settings import size_of

__all__ = ["GaussianMLP", "SquashedGaussianMLP", "log_scale_of", "normal_from"]

LOG_SCALE = (-10.0, 5.0)  # of the deviation against the one at the start


def normal_from(numbers: Tensor, start_scale: float) -> Normal:
    """Independent normals from numbers [..., 2m], means first; all zero: mean 0, deviation ``start_scale``."""
    mean, raw = numbers.chunk(2, -1)
    return Normal(mean, start_scale * log_scale_of(raw).exp())


def log_scale_of(raw: Tensor) -> Tensor:
    """Log of the deviation against the one at the start, from what a network says: kept smoothly between bounds."""
    return _smoothly_clamped(raw, *LOG_SCALE)


def _smoothly_clamped(x: Tensor, low: float, high: float) -> Tensor:
    # As x near 0, with two derivatives everywhere: a hard clamp would stop the gradient for good.
    return torch.where(x > 0, high * torch.tanh(x / high), low * torch.tanh(x / low))


class GaussianMLP(Policy):
    """π(a | s, t) = N(μ, diag σ²), with (μ, log σ) = MLP(s, t / T); starts at N(0, I).

    log σ is kept between −10 and 5, smoothly.

    Args:
        num_features: n, the length of the state vector [..., n]; 0 where the state is a single number [...]; or
        num_states: S, for integer states fed as one-hot vectors.
        action_dim: m.
        horizon: T, makes the policy depend on time; None: stationary.
        hidden: widths of the hidden layers.
        activation: ``"tanh"`` or ``"relu"``, between the layers.
        seed: seed of the initial weights.
        dtype: floating-point type.

    Raises:
        ValueError: a size below 1, or not one of ``num_features`` and ``num_states``; at the call, a missing
            time where there is a horizon.

    Example:
        >>> policy = GaussianMLP(num_features=2, action_dim=3)
        >>> policy(torch.zeros(5, 2)).sample().shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        *,
        num_features: int | None = None,
        num_states: int | None = None,
        action_dim: int,
        horizon: int | None = None,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        action_dim = size_of("action_dim", action_dim)
        inputs = StateInputs(num_features=num_features, num_states=num_states, horizon=horizon, dtype=dtype)
        self.network = StateNetwork(inputs, 2 * action_dim, hidden=hidden, activation=activation, seed=seed)
        self.settings = {
            "num_features": inputs.num_features,
            "num_states": num_states,
            "action_dim": action_dim,
            "horizon": inputs.horizon,
            "hidden": self.network.hidden,
            "activation": activation,
            "dtype": dtype,
        }
        self.horizon, self.state_ndim = inputs.horizon, inputs.state_ndim

    def forward(self, state: Tensor, t: Time = None) -> Distribution:
        """π(· | state, t), event shape [m]."""
        return normal_from(self.network(state, t), 1.0).to_event(1)


class SquashedGaussianMLP(Policy):
    """a = low + (high − low) (1 + tanh x) / 2, x ~ N(μ, diag σ²), with (μ, log σ) = MLP(s, t / T).

    Starts near the uniform distribution. ``log_prob`` includes the Jacobian; there is no closed-form entropy.
    ``mode`` is the squashed mean, see ``ppl_control.policies.bounds.Squashed``.

    Args:
        num_features: n, the length of the state vector [..., n]; 0 where the state is a single number [...]; or
        num_states: S, for integer states fed as one-hot vectors.
        action_dim: m.
        low: the smallest action, a number or shape [m].
        high: the largest action.
        horizon: T, makes the policy depend on time; None: stationary.
        hidden: widths of the hidden layers.
        activation: ``"tanh"`` or ``"relu"``, between the layers.
        seed: seed of the initial weights.
        dtype: floating-point type.

    Raises:
        ValueError: a size below 1, not one of ``num_features`` and ``num_states``, bounds that are missing, not
            finite or in the wrong order; at the call, a missing time where there is a horizon.

    References:
        Haarnoja et al. (2018, arXiv 1812.05905), appendix C.

    Example:
        >>> policy = SquashedGaussianMLP(num_features=2, action_dim=1, low=-2.0, high=2.0)
        >>> bool(policy(torch.zeros(100, 2)).sample().abs().max() < 2)
        True
    """

    def __init__(
        self,
        *,
        num_features: int | None = None,
        num_states: int | None = None,
        action_dim: int,
        low: Bound,
        high: Bound,
        horizon: int | None = None,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        action_dim = size_of("action_dim", action_dim)
        if low is None or high is None:
            raise ValueError("low and high: expected finite bounds, got None; GaussianMLP has none")
        inputs = StateInputs(num_features=num_features, num_states=num_states, horizon=horizon, dtype=dtype)
        self.bounds = Bounds(low, high, action_dim, dtype)
        self.network = StateNetwork(inputs, 2 * action_dim, hidden=hidden, activation=activation, seed=seed)
        self.settings = {
            "num_features": inputs.num_features,
            "num_states": num_states,
            "action_dim": action_dim,
            **self.bounds.settings,
            "horizon": inputs.horizon,
            "hidden": self.network.hidden,
            "activation": activation,
            "dtype": dtype,
        }
        self.horizon, self.state_ndim = inputs.horizon, inputs.state_ndim

    def forward(self, state: Tensor, t: Time = None) -> Distribution:
        """π(· | state, t), event shape [m]."""
        return self.bounds(normal_from(self.network(state, t), self.bounds.start_scale).to_event(1))
