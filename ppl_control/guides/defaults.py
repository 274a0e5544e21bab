"""The policy family that suits a model."""

from __future__ import annotations

import torch
from gymnasium import spaces
from torch import nn

from ppl_control.mdp.continuous import is_bounded
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies import (
    CategoricalMLP,
    GaussianMLP,
    LinearGaussianPolicy,
    SquashedGaussianMLP,
    TabularPolicy,
)
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.user_program import Site, UserProgram

__all__ = ["default_policy", "require_dynamics"]


def default_policy(model: TrajectoryModel) -> nn.Module:
    """A table where states and actions are finite, linear-Gaussian where the world is, else a network.

    Raises:
        ValueError: the actions of a program are not finite.
    """
    if model.is_tabular:
        closed = model.tables.log_prior == -torch.inf
        uniform = torch.zeros_like(model.tables.log_prior).masked_fill(closed, -torch.inf)
        return TabularPolicy(uniform)
    return _for_continuous(model) if model.is_continuous else _for_program(model)


def _for_continuous(model: TrajectoryModel) -> nn.Module:
    mdp, space = model.mdp, model.mdp.action_space
    if isinstance(mdp, LinearGaussianMDP):
        centred = model.action_prior is None  # a prior may have a centre of its own
        return LinearGaussianPolicy.standard(
            mdp.state_dim, space.shape[0], horizon=model.horizon, with_offset=not centred, dtype=mdp.dtype
        )
    if isinstance(space, spaces.Discrete):
        return CategoricalMLP(int(space.n), num_features=mdp.state_dim, horizon=model.horizon, dtype=mdp.dtype)
    size = {"num_features": mdp.state_dim, "action_dim": space.shape[0], "horizon": model.horizon, "dtype": mdp.dtype}
    if is_bounded(space):
        return SquashedGaussianMLP(low=space.low.tolist(), high=space.high.tolist(), **size)
    return GaussianMLP(**size)


def require_dynamics(recipe: object, model: TrajectoryModel) -> None:
    """Raise a ValueError where a guide over trajectories is asked for in a world that can be sampled only."""
    if model.is_simulator:
        raise ValueError(
            f"guide: {type(recipe).__name__} needs a model with densities, got {model!r}; SoftActorCritic, "
            "SoftQLearning and SoftPolicyGradient serve simulators"
        )


def _for_program(model: TrajectoryModel) -> nn.Module:
    program: UserProgram = model.program
    actions: list[Site] = [s for s in program.sites.values() if s.role == "action" and not s.observed]
    sizes = {site.cardinality for site in actions}
    if None in sizes or len(sizes) != 1:
        raise ValueError(f"policy: actions {[s.name for s in actions]} are not finite or differ in size; give a policy")
    (num_actions,) = sizes
    assert num_actions is not None
    if program.num_observations is not None:
        return TabularPolicy.uniform(program.num_observations, num_actions, horizon=model.horizon)
    return CategoricalMLP(num_actions, num_features=program.observation_size, horizon=model.horizon)
