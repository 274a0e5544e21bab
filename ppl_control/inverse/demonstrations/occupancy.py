"""How often a solution's policy does what, exactly, in the true dynamics of a tabular model."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.recursions import occupancies
from ppl_control.inference.exact.stationary.guides import visits
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["carried_out", "decisions_under", "occupancy", "solution_of"]


@torch.no_grad()
def occupancy(solution: Any, model: TrajectoryModel) -> Float[Tensor, "*T S A"]:
    """Expected decisions (s, a) at each time when the solution's policy meets the model's true dynamics.

    Index order [t, s, a], or [s, a] summed over time without a horizon; a discount counts as survival.

    Args:
        solution: a solution, or a fit that has one.
        model: the world.

    Raises:
        ValueError: a model without tables, or a solution without a policy that fits it.
    """
    guide = carried_out("solution", solution, model)
    return decisions_under(guide, model.tables)


def decisions_under(guide: GuideTables, tables: Tables) -> Float[Tensor, "*T S A"]:
    """The same for a policy that was carried out, in the precision of the tables."""
    guide = GuideTables(guide.policy.to(tables.initial))
    here = visits(tables, guide) if tables.horizon is None else occupancies(tables, guide)[:-1, :-1]
    here = here.clamp(min=0.0).masked_fill(tables.terminal, 0.0)  # of which a linear solve falls short by rounding
    return here[..., None] * guide.policy.exp()


def carried_out(name: str, given: Any, model: Any) -> GuideTables:
    """The policy of a solution as a table of the model's.

    Raises:
        ValueError: a model without tables, or ``given`` has no policy that fits it; the message calls it ``name``.
    """
    solution = solution_of(name, given)
    if not isinstance(model, TrajectoryModel) or not model.is_tabular:
        raise ValueError(f"model: policies are carried out exactly on tables only, got {model!r}")
    if solution.policy is None:
        raise ValueError(f"{name}: expected a solution with a policy")
    try:
        return TabularGuide(model, solution.policy).tables()
    except (ValueError, TypeError, RuntimeError, IndexError) as error:
        raise ValueError(f"{name}: its policy does not fit {model.mdp!r}: {error}") from error


def solution_of(name: str, given: Any) -> Solution:
    """A solution, or that of a fit.

    Raises:
        ValueError: neither; the message calls it ``name``.
    """
    found = given if isinstance(given, Solution) else getattr(given, "solution", None)
    if not isinstance(found, Solution):
        raise ValueError(f"{name}: expected a fit or a solution, got {given!r}")
    return found
