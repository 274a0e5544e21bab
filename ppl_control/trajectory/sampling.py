"""Whole trajectories as tensors, from any guide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ppl_control.settings import whole
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.program_rollout import sample_program
from ppl_control.trajectory.rollout import log_terms, sample_rollout

__all__ = ["Trajectories", "sample_trajectories"]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """n trajectories, one a row.

    Attributes:
        states: [n, T+1]; for tabular models S marks the silent end. Several state sites, or vectors: last axis.
        actions: [n, T]; vectors: last axis.
        rewards: [n, T], reward units; 0 after the end. In continuous models a discount weighs them, γᵗ r_t.
        alive: [n, T], whether a decision was made.
    """

    states: Tensor
    actions: Tensor
    rewards: Float[Tensor, "n T"]
    alive: Bool[Tensor, "n T"]

    @property
    def returns(self) -> Float[Tensor, " n"]:
        """Σ_t r_t of each trajectory, reward units; a discount is already in the survival or in the rewards."""
        return self.rewards.sum(-1)


@torch.no_grad()
def sample_trajectories(model: TrajectoryModel, guide: Any, n: int) -> Trajectories:
    """Draw n trajectories from a bound guide, from torch's current random stream."""
    n = whole("n", n, 1)
    if hasattr(guide, "sample"):
        return guide.sample(n)
    if hasattr(guide, "rollout"):
        found = guide.rollout(n)
        states, actions = found.states.transpose(0, 1), found.actions.transpose(0, 1)
        return Trajectories(states, actions, found.reward.T, found.alive.T)
    if hasattr(guide, "tables"):
        tables, q = model.tables, guide.tables()
        rollout = sample_rollout(tables, q, n)
        reward = log_terms(tables, q, rollout).reward * model.temperature
        return Trajectories(rollout.states.T, rollout.actions.T, reward.T, rollout.alive(tables).T)
    drawn = sample_program(model, guide, n).trajectories()
    if model.is_tabular:
        return replace(drawn, alive=drawn.states[:, :-1] < model.tables.num_states)
    return drawn
