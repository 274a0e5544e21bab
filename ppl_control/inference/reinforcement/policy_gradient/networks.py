"""The policies and values that suit a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from ppl_control.guides.copies import trainable_copy
from ppl_control.inference.reinforcement.checks import features_of
from ppl_control.inference.reinforcement.policy_gradient.value import ValueNetwork
from ppl_control.policies import CategoricalMLP, SquashedGaussianMLP
from ppl_control.policies.network import StateInputs
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["make_policy", "make_value"]


def _sizes(model: TrajectoryModel) -> dict[str, Any]:
    return features_of(model.mdp) | {"horizon": model.horizon, "dtype": model.mdp.dtype}


def make_policy(model: TrajectoryModel, recipe: nn.Module | None, hidden: Sequence[int], seed: int) -> nn.Module:
    """A copy of the recipe; or a categorical, or a Gaussian squashed between the bounds, read by a network."""
    mdp = model.mdp
    if recipe is not None:
        return trainable_copy(recipe).to(mdp.device)
    common = _sizes(model) | {"hidden": hidden, "seed": seed}
    if mdp.num_actions is not None:
        return CategoricalMLP(mdp.num_actions, **common).to(mdp.device)
    low, high = mdp.action_space.low.tolist(), mdp.action_space.high.tolist()
    return SquashedGaussianMLP(action_dim=mdp.action_dim, low=low, high=high, **common).to(mdp.device)


def make_value(model: TrajectoryModel, hidden: Sequence[int], seed: int) -> ValueNetwork:
    """V(s), or V(s, t) where there is a horizon."""
    return ValueNetwork(StateInputs(**_sizes(model)), hidden=hidden, seed=seed).to(model.mdp.device)
