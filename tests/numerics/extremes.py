"""Small problems at the ends of what numbers can hold, and how near a result must come to the exact one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ppl_control import TabularMDP, TrajectoryModel
from tests.numerics.oracle import mp
from tests.problems import Problem, random_problem

EPS = torch.finfo(torch.float64).eps


def extreme(
    seed: int = 3, *, scale: float, rare: float = 1e-300, states: int = 4, actions: int = 3, **settings: Any
) -> Problem:
    """A random problem whose rewards are of the size ``scale``.

    State 0 may win once in a blue moon (probability ``rare``), and so may state 1, in two ways; all of it by actions
    that lose otherwise, so that the posterior lives on what hardly ever happens. State 2 of four has rewards that are
    equal. The last state is terminal.
    """
    problem = random_problem(seed, states=states, actions=actions, **settings)
    paid = [[[(p, s, r * scale, d) for p, s, r, d in row] for row in rows] for rows in problem.outcomes]
    paid[0][1] = [(1.0, 1, 0.1 * scale, False), (rare, 0, 0.9 * scale, False)]
    paid[1][1] = [(1.0, 0, -scale, False), (rare, 2, scale, False), (1e100 * rare, 1, 0.3 * scale, False)]
    if states > 3:
        paid[2][-1] = [(0.25, 0, 0.5 * scale, False), (0.25, 1, 0.5 * scale, True), (0.5, 2, 0.5 * scale, False)]
    return replace(problem, outcomes=paid)


def model_in(problem: Problem, dtype: torch.dtype) -> TrajectoryModel:
    """The problem's model in another precision."""
    return problem.model().replaced(mdp=TabularMDP.from_outcomes(problem.outcomes, problem.initial, dtype=dtype))


def largest_reward(problem: Problem) -> float:
    """max |r|, reward units."""
    return max(abs(r) for rows in problem.outcomes for row in rows for _, _, r, _ in row)


def steepness(problem: Problem) -> float:
    """max |r|/α, nats: what one step's numbers are rounded against."""
    return largest_reward(problem) / problem.temperature


def off(found: Any, exact: Iterable[Any]) -> list[float]:
    """|found − exact| of every number; the difference is taken in 50 digits, and NaN counts as infinitely far."""
    numbers = np.asarray(found, dtype=np.float64).reshape(-1).tolist()
    pairs = zip(numbers, exact, strict=True)
    return [float(abs(mp.mpf(x) - y)) if x == x else float("inf") for x, y in pairs]


def require_close(found: Any, exact: Iterable[Any], *, rel: float = 1e-9, floor: float) -> None:
    """|found − exact| ≤ rel · |exact| + floor, number by number."""
    exact = list(exact)
    for i, (error, truth) in enumerate(zip(off(found, exact), exact, strict=True)):
        allowed = rel * float(abs(truth)) + floor
        assert error <= allowed, f"number {i} is {mp.nstr(truth, 20)}: {error:.3g} off, {allowed:.3g} allowed"


def flat(table: Iterable[Any]) -> list[Any]:
    """The numbers of nested lists in their order."""
    return [x for entry in table for x in (flat(entry) if isinstance(entry, list) else [entry])]
