"""Returns of users' programs, from runs."""

from __future__ import annotations

from typing import Any

from ppl_control.evaluation.walk import Walk, from_runs
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.program_rollout import sample_program

__all__ = ["simulated"]


def simulated(model: TrajectoryModel, guide: Any, episodes: int) -> Walk:
    """Runs of a program under a guide."""
    rollout = sample_program(model, guide, episodes)
    actions = [i for i, role in enumerate(rollout.roles) if role == "action"]
    return from_runs(rollout.rewards().sum(0), -rollout.log_q[actions].sum(0))
