"""Swing-up of gymnasium's Pendulum-v1, differentiable and with noise; its plans run in the real environment.

The state is the environment's observation, (cos θ, sin θ, θ̇), θ = 0 upright; dynamics, torque, time step, clipping
and reward are the environment's own, and the noise is added to the observation that would follow.
"""

from functools import partial
from math import cos, inf, pi, sin

import torch
from gymnasium import spaces
from pyro.distributions import Normal
from torch import Tensor

from ppl_control.mdp import DifferentiableMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["mdp", "model"]

GRAVITY, STEP = 10.0, 0.05  # m/s², s; mass and length are 1
TORQUE, SPEED = 2.0, 8.0  # the largest
RANGE = (1.0, 1.0, SPEED)  # of the entries of a state
SPREAD = 0.01  # of the first state, as a share of the range
NAMED = {"hanging": pi, "upright": 0.0}


def mdp(start: str | float = "hanging", noise: float = 0.005) -> DifferentiableMDP:
    """The pendulum.

    Args:
        start: the first angle at rest, ``"hanging"``, ``"upright"`` or in radians.
        noise: standard deviation of each entry of the next state, as a share of its range (1, 1 and 8 rad/s).

    Raises:
        ValueError: another start, or a noise that is not positive.
    """
    angle = NAMED.get(start, start) if isinstance(start, str) else start
    if isinstance(angle, str | bool) or not -inf < angle < inf:
        raise ValueError(f"start: expected one of {list(NAMED)} or an angle in radians, got {start!r}")
    if not 0 < noise < inf:
        raise ValueError(f"noise: expected a number > 0, got {noise!r}")
    return DifferentiableMDP(
        _around(torch.tensor([cos(angle), sin(angle), 0.0], dtype=torch.float64), SPREAD),
        partial(_transition, noise=noise),
        _reward,
        action_space=spaces.Box(-TORQUE, TORQUE, (1,)),
    )


def model(
    start: str | float = "hanging",
    noise: float = 0.005,
    horizon: int = 60,
    temperature: float = 1.0,
    action_prior: str | None = "uniform",
) -> TrajectoryModel:
    """The swing-up as a trajectory model; its 60 steps are 3 s.

    Args:
        start: the first angle at rest, ``"hanging"``, ``"upright"`` or in radians.
        noise: standard deviation of each entry of the next state, as a share of its range.
        horizon: number of decisions.
        temperature: α, reward units per nat.
        action_prior: ``"uniform"``, or None for Lebesgue measure.
    """
    return TrajectoryModel(mdp(start, noise), horizon=horizon, temperature=temperature, action_prior=action_prior)


def _around(mean: Tensor, share: float) -> Normal:
    return Normal(mean, share * mean.new_tensor(RANGE)).to_event(1)


def _angle(state: Tensor) -> Tensor:
    return torch.atan2(state[..., 1], state[..., 0])  # noise may push states off the circle


def _transition(state: Tensor, action: Tensor, *, noise: float) -> Normal:
    angle, torque = _angle(state), action[..., 0].clamp(-TORQUE, TORQUE)
    speed = state[..., 2] + (1.5 * GRAVITY * angle.sin() + 3.0 * torque) * STEP
    speed = speed.clamp(-SPEED, SPEED)
    angle = angle + speed * STEP
    return _around(torch.stack([angle.cos(), angle.sin(), speed], -1), noise)


def _reward(state: Tensor, action: Tensor) -> Tensor:
    torque = action[..., 0].clamp(-TORQUE, TORQUE)
    return -(_angle(state) ** 2 + 0.1 * state[..., 2] ** 2 + 0.001 * torque**2)
