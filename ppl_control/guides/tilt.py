"""Learned belief in luck: the noise of a Gaussian world, shifted and scaled by state, action and time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from ppl_control.randomness import RandomStream
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.whitening import TiltedGaussian, whiten

__all__ = ["AffineTilt", "NetworkTilt"]


class AffineTilt(nn.Module):
    """Noise N(D_t s + E_t a + c_t, diag(exp ℓ_t)²) at every step.

    It holds the posterior of a linear-Gaussian model whose believed noise has independent axes.

    Args:
        horizon: T.
        state_dim: n.
        action_dim: m.
        dtype: floating-point type.
    """

    def __init__(self, horizon: int, state_dim: int, action_dim: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.settings = {"horizon": horizon, "state_dim": state_dim, "action_dim": action_dim, "dtype": dtype}
        self.first = nn.Parameter(torch.zeros(2, state_dim, dtype=dtype))
        self.slope = nn.Parameter(torch.zeros(horizon, state_dim, state_dim + action_dim, dtype=dtype))
        self.offset = nn.Parameter(torch.zeros(horizon, state_dim, dtype=dtype))
        self.log_scale = nn.Parameter(torch.zeros(horizon, state_dim, dtype=dtype))

    def initial(self, truth: Any) -> TiltedGaussian:
        """q(s₀)."""
        return TiltedGaussian(truth, self.first[0], self.first[1])

    def transition(self, state: Tensor, action: Tensor, t: int, truth: Any) -> TiltedGaussian:
        """q(s'|s,a,t)."""
        shift = torch.cat([state, action], -1) @ self.slope[t].mT + self.offset[t]
        return TiltedGaussian(truth, shift, self.log_scale[t])


class NetworkTilt(nn.Module):
    """Noise whose shift and log-scale come from an MLP of state, action and t/T; starts at the model's own.

    Args:
        horizon: T.
        state_dim: n.
        action_dim: entries of an action; A for one-hot discrete ones.
        discrete: whether actions are indices.
        hidden: widths of the hidden layers.
        seed: seed of the initial weights.
        dtype: floating-point type.
    """

    def __init__(
        self,
        horizon: int,
        state_dim: int,
        action_dim: int,
        *,
        discrete: bool = False,
        hidden: Sequence[int] = (64, 64),
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.settings = {
            "horizon": horizon, "state_dim": state_dim, "action_dim": action_dim,
            "discrete": discrete, "hidden": list(hidden), "dtype": dtype,
        }  # fmt: skip
        self.horizon, self.action_dim, self.discrete = horizon, action_dim, discrete
        self.first = nn.Parameter(torch.zeros(2, state_dim, dtype=dtype))
        layers: list[nn.Module] = []
        widths = [state_dim + action_dim + 1, *hidden]
        with RandomStream(seed):
            for fan_in, fan_out in pairwise(widths):
                layers += [nn.Linear(fan_in, fan_out, dtype=dtype), nn.Tanh()]
            head = nn.Linear(widths[-1], 2 * state_dim, dtype=dtype)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.net = nn.Sequential(*layers, head)

    def initial(self, truth: Any) -> TiltedGaussian:
        """q(s₀)."""
        return TiltedGaussian(truth, self.first[0], self.first[1])

    def transition(self, state: Tensor, action: Tensor, t: int, truth: Any) -> TiltedGaussian:
        """q(s'|s,a,t)."""
        if self.discrete:
            action = nn.functional.one_hot(action.long(), self.action_dim).to(state)
        clock = state.new_full((*state.shape[:-1], 1), t / self.horizon)
        shift, log_scale = self.net(torch.cat([state, action, clock], -1)).chunk(2, -1)
        return TiltedGaussian(truth, shift, log_scale)


def tilt_for(model: TrajectoryModel) -> nn.Module:
    """The family of beliefs that suits a continuous model.

    Raises:
        ValueError: noise that is not Gaussian.
    """
    mdp = model.mdp
    assert model.horizon is not None
    with RandomStream(0), torch.no_grad():
        state = mdp.initial().sample((2,)).to(mdp.dtype)
        action = model.prior.site(state, 0).sample()
        whiten(mdp.initial(), "initial")
        whiten(mdp.transition(state, action), "transition")
    if hasattr(mdp, "noise_covariance"):
        return AffineTilt(model.horizon, mdp.state_dim, mdp.action_space.shape[0], mdp.dtype)
    discrete = isinstance(mdp.action_space, spaces.Discrete)
    width = int(mdp.action_space.n) if discrete else mdp.action_space.shape[0]
    return NetworkTilt(model.horizon, mdp.state_dim, width, discrete=discrete, dtype=mdp.dtype)
