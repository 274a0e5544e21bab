"""Solutions by name, as pictures are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppl_control.inference.base import Solution
from ppl_control.settings import shown

__all__ = ["named_solutions"]


def named_solutions(solutions: Any) -> dict[str, Solution]:
    """Label → solution.

    Raises:
        ValueError: none, or something else among them.
    """
    if not isinstance(solutions, Mapping) or not solutions:
        raise ValueError(f"solutions: expected at least one, label → solution, got {shown(solutions)}")
    for label, solution in solutions.items():
        if not isinstance(solution, Solution):
            raise ValueError(f"solutions[{shown(label)}]: expected a solution, got {shown(solution)}")
    return dict(solutions)
