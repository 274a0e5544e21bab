"""Double integrator: push a cart to rest at 0; the one problem whose every answer is known in closed form.

Force noise is good or bad luck. The honest policy (LQR) ignores its size; the posterior counts on good luck, so it
pushes less, and the more so the larger the noise.
"""

from math import inf

import torch
from pyro.distributions import MultivariateNormal

from ppl_control.mdp import LinearGaussianMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["mdp", "model"]

STEP = 0.5  # time units
START = (2.0, 0.0)  # position, velocity


def mdp(noise: float = 1.0, effort: float = 0.1, final: float = 5.0) -> LinearGaussianMDP:
    """Position and velocity under a force; per step −(position² + 0.1 velocity² + effort · force²).

    Args:
        noise: standard deviation of the noise in the force.
        effort: reward units per squared force.
        final: reward units per squared position and velocity at the horizon.

    Raises:
        ValueError: a noise or a cost that is negative.
    """
    if not 0 <= noise < inf:
        raise ValueError(f"noise: expected a number >= 0, got {noise!r}")
    pushed = [[STEP**2 / 2], [STEP]]
    push = torch.tensor(pushed, dtype=torch.float64)
    return LinearGaussianMDP(
        [[1.0, STEP], [0.0, 1.0]],
        pushed,
        noise**2 * push @ push.mT,
        [[1.0, 0.0], [0.0, 0.1]],
        effort,
        initial_mean=START,
        final_state_cost=[[final, 0.0], [0.0, final]],
    )


def model(
    noise: float = 1.0,
    horizon: int = 10,
    temperature: float = 1.0,
    action_prior: float | None = None,
) -> TrajectoryModel:
    """The cart as a trajectory model; ``action_prior`` None is Lebesgue measure, a number the variance of N(0, ·).

    Args:
        noise: standard deviation of the noise in the force.
        horizon: number of decisions.
        temperature: α, reward units per nat.
        action_prior: variance of the prior of actions, or None.
    """
    prior = None
    if action_prior is not None:
        prior = MultivariateNormal(torch.zeros(1, dtype=torch.float64), _variance(action_prior))
    return TrajectoryModel(mdp(noise), horizon=horizon, temperature=temperature, action_prior=prior)


def _variance(value: float) -> torch.Tensor:
    if isinstance(value, str | bool) or not 0 < value < inf:
        raise ValueError(f"action_prior: expected None or a finite variance > 0, got {value!r}")
    return torch.tensor([[float(value)]], dtype=torch.float64)
