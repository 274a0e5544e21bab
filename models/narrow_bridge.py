"""Narrow bridge: over a river by a windy bridge, or round the river's end; the optimistic guide crosses.

The bridge is the shorter way, but over the river the wind throws a walker off it more often than not. The posterior
is sure of a calm day and crosses; a guide that takes the wind as it is goes round.
"""

from functools import partial
from math import inf

import torch
from gymnasium import spaces
from pyro.distributions import Normal
from torch import Tensor

from ppl_control.mdp import DifferentiableMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["BRIDGE", "END", "GOAL", "RIVER", "START", "mdp", "model", "water"]

STEP = 0.5  # the way of a step at full speed
START = (-1.75, 0.0)
"""Where the walk begins, up to 0.05."""
GOAL = (1.75, 0.0)
"""Where it should end."""
RIVER = 0.75
"""The river flows at |x| < RIVER and y < END."""
END = 1.7
"""Where it ends."""
BRIDGE = 0.3
"""The bridge leads over it at |y| < BRIDGE."""
EDGE = 0.05  # over which land becomes water
CALM = 0.03  # standard deviation of a step on land
WET, EFFORT, DISTANCE, MISSED = 10.0, 0.1, 0.3, 5.0  # reward units


def mdp(wind: float = 0.6) -> DifferentiableMDP:
    """A walker in the plane whose actions are velocities in [−1, 1]².

    A step pays −10 in deep water, −0.3 a unit of distance to the goal and −0.1 speed²; at the horizon −5 distance².

    Args:
        wind: standard deviation along y of a step that begins over the river, bridge or water.

    Raises:
        ValueError: a wind that is not positive.
    """
    if not 0 < wind < inf:
        raise ValueError(f"wind: expected a number > 0, got {wind!r}")
    return DifferentiableMDP(
        Normal(torch.tensor(START, dtype=torch.float64), 0.05).to_event(1),
        partial(_transition, wind=wind),
        _reward,
        action_space=spaces.Box(-1.0, 1.0, (2,)),
        final_reward=_final_reward,
    )


def model(
    wind: float = 0.6,
    horizon: int = 10,
    temperature: float = 0.2,
    action_prior: str | None = "uniform",
) -> TrajectoryModel:
    """The walk as a trajectory model.

    Args:
        wind: standard deviation along y of a step that begins over the river.
        horizon: number of decisions.
        temperature: α, reward units per nat.
        action_prior: ``"uniform"``, or None for Lebesgue measure.
    """
    return TrajectoryModel(mdp(wind), horizon=horizon, temperature=temperature, action_prior=action_prior)


def water(state: Tensor) -> Tensor:
    """How deep the water is at [..., 2]: from 1 beside the bridge it falls evenly to 0 at the river's end.

    Args:
        state: places (x, y), shape [..., 2].
    """
    depth = (1 - state[..., 1] / END).clamp(0, 1)
    return _over(state) * depth * torch.sigmoid((state[..., 1].abs() - BRIDGE) / EDGE)


def _over(state: Tensor) -> Tensor:
    """Whether a place lies between the banks, 0 to 1."""
    return torch.sigmoid((RIVER - state[..., 0].abs()) / EDGE)


def _transition(state: Tensor, action: Tensor, *, wind: float) -> Normal:
    windy = _over(state) * torch.sigmoid((END - state[..., 1]) / EDGE)
    scale = torch.stack([torch.full_like(windy, CALM), CALM + (wind - CALM) * windy], -1)
    return Normal(state + STEP * action, scale).to_event(1)


def _reward(state: Tensor, action: Tensor, next_state: Tensor) -> Tensor:
    distance = (_squared_distance(next_state) + 1e-3).sqrt()
    return -WET * water(next_state) - EFFORT * (action**2).sum(-1) - DISTANCE * distance


def _final_reward(state: Tensor) -> Tensor:
    return -MISSED * _squared_distance(state)


def _squared_distance(state: Tensor) -> Tensor:
    return ((state - state.new_tensor(GOAL)) ** 2).sum(-1)
