"""How far one behaviour is from another, exactly, in the true dynamics of a tabular model."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.fixed_point import visits
from ppl_control.inference.exact.recursions import occupancies
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import GuideTables

__all__ = ["occupancy", "occupancy_distance", "policy_distance"]


@torch.no_grad()
def occupancy(solution: Solution, model: TrajectoryModel) -> Float[Tensor, "*T S A"]:
    """Expected decisions (s, a) at each time when the solution's policy meets the model's true dynamics.

    Index order [t, s, a], or [s, a] summed over time without a horizon; a discount counts as survival.

    Raises:
        ValueError: a model without tables, or a solution without a policy that fits it.
    """
    guide = _carried_out(solution, model)
    here = visits(model.tables, guide) if model.horizon is None else occupancies(model.tables, guide)[:-1, :-1]
    return here[..., None] * guide.policy.exp()


def occupancy_distance(solution: Solution, demonstrator: Solution, model: TrajectoryModel) -> float:
    """Total variation between the two shares of decisions (s, a), summed over time: 0 alike, 1 never the same."""
    shares = []
    for each in (solution, demonstrator):
        found = occupancy(each, model)
        found = found if found.ndim == 2 else found.sum(0)
        shares.append(found / found.sum())
    return 0.5 * float((shares[0] - shares[1]).abs().sum())


@torch.no_grad()
def policy_distance(solution: Solution, demonstrator: Solution, model: TrajectoryModel) -> float:
    """Total variation between the two policies, averaged over the demonstrator's decisions."""
    ours, theirs = (_carried_out(each, model).policy.exp() for each in (solution, demonstrator))
    weight = occupancy(demonstrator, model).sum(-1)
    apart = 0.5 * (ours - theirs).abs().sum(-1)
    return float((weight * apart).sum() / weight.sum())


def _carried_out(solution: Solution, model: TrajectoryModel) -> GuideTables:
    if not model.is_tabular:
        raise ValueError(f"model: distances between policies are exact on tables only, got {model!r}")
    if solution.policy is None:
        raise ValueError("solution: expected one with a policy")
    return TabularGuide(model, solution.policy).tables()
