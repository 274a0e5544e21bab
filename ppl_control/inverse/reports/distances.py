"""How far one behaviour is from another, exactly, in the true dynamics of a tabular model."""

from __future__ import annotations

from typing import Any

import torch

from ppl_control.inverse.demonstrations.occupancy import carried_out, decisions_under, occupancy
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["occupancy", "occupancy_distance", "policy_distance"]

TINY = 1e-30  # where the world is over at once nothing is decided, and nothing differs


@torch.no_grad()
def occupancy_distance(solution: Any, demonstrator: Any, model: TrajectoryModel) -> float:
    """Total variation between the two shares of decisions (s, a), summed over time: 0 alike, 1 never the same.

    Args:
        solution: a solution, or a fit that has one.
        demonstrator: another.
        model: the world.

    Raises:
        ValueError: a model without tables, or no solution with a policy that fits it.
    """
    shares = []
    for name, each in (("solution", solution), ("demonstrator", demonstrator)):
        found = decisions_under(carried_out(name, each, model), model.tables)
        found = found if found.ndim == 2 else found.sum(0)
        shares.append(found / found.sum().clamp(min=TINY))
    return 0.5 * float((shares[0] - shares[1]).abs().sum())


@torch.no_grad()
def policy_distance(solution: Any, demonstrator: Any, model: TrajectoryModel) -> float:
    """Total variation between the two policies, averaged over the demonstrator's decisions.

    Args:
        solution: what was learned.
        demonstrator: whom it was learned from.
        model: the world in which both act.

    Raises:
        ValueError: as ``occupancy_distance``.
    """
    ours, theirs = (carried_out("solution", solution, model), carried_out("demonstrator", demonstrator, model))
    weight = decisions_under(theirs, model.tables).sum(-1)
    apart = 0.5 * (ours.policy.exp() - theirs.policy.exp()).abs().sum(-1)
    return float((weight * apart).sum() / weight.sum().clamp(min=TINY))
