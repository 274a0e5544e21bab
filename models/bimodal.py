"""Two equal goals, at −1 and +1: what a Gaussian guide loses and a flow keeps.

A Gaussian settles for one goal and forgoes the other, which costs it log 2 = 0.693 nats of the bound. A way between
the goals is dear from the first step on, so that the choice cannot be put off until the state has been seen.
"""

from functools import partial
from math import inf

import torch
from gymnasium import spaces
from pyro.distributions import MultivariateNormal, Normal
from torch import Tensor

from ppl_control.mdp import DifferentiableMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["mdp", "model"]


def mdp(noise: float = 0.1) -> DifferentiableMDP:
    """A point on a line that starts at 0: x' = x + a + noise; a step pays −(distance of x' to the nearer goal)².

    Args:
        noise: standard deviation of a step.

    Raises:
        ValueError: a noise that is not positive.
    """
    if not 0 < noise < inf:
        raise ValueError(f"noise: expected a number > 0, got {noise!r}")
    space = spaces.Box(-inf, inf, (1,))
    return DifferentiableMDP(torch.zeros(1), partial(_transition, noise=noise), _reward, action_space=space)


def model(
    noise: float = 0.1,
    horizon: int = 2,
    temperature: float = 0.2,
    action_prior: float = 0.3,
) -> TrajectoryModel:
    """The choice as a trajectory model; the prior is N(0, ``action_prior``), so that hopping over is unlikely.

    Args:
        noise: standard deviation of a step.
        horizon: number of decisions.
        temperature: α, reward units per nat.
        action_prior: variance of the prior of actions.
    """
    if isinstance(action_prior, str | bool) or action_prior is None or not 0 < action_prior < inf:
        raise ValueError(f"action_prior: expected a finite variance > 0, got {action_prior!r}")
    prior = MultivariateNormal(torch.zeros(1).double(), action_prior * torch.eye(1).double())
    return TrajectoryModel(mdp(noise), horizon=horizon, temperature=temperature, action_prior=prior)


def _transition(state: Tensor, action: Tensor, *, noise: float) -> Normal:
    return Normal(state + action, noise).to_event(1)


def _reward(state: Tensor, action: Tensor, next_state: Tensor) -> Tensor:
    return -((next_state[..., 0].abs() - 1) ** 2)
