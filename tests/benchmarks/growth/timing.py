"""Median times of cases that run in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["FEWEST", "MOST", "Case", "Timing", "timed"]

FEWEST, MOST = 3, 15  # rounds
WORTH = 1.0  # seconds that all rounds of a case should take, within these bounds


class Case(NamedTuple):
    """What is timed.

    Attributes:
        size: what its time is held against.
        run: does it once.
    """

    size: int
    run: Callable[[], object]


class Timing(NamedTuple):
    """What came out: seconds are a median over the rounds."""

    size: int
    seconds: float
    rounds: int


def timed(cases: Sequence[Case], clock: Callable[[], float] = time.perf_counter) -> list[Timing]:
    """Times of cases, each run once to warm up, then in turns: a busy moment meets all sizes alike.

    Args:
        cases: in the order of their sizes.
        clock: seconds.
    """

    def once(case: Case) -> float:
        begun = clock()
        case.run()
        return clock() - begun

    rounds = []
    for case in cases:
        warm = once(case)
        rounds.append(MOST if warm * MOST <= WORTH else max(FEWEST, int(WORTH / warm)))
    seconds: list[list[float]] = [[] for _ in cases]
    for number in range(max(rounds, default=0)):
        for case, wanted, taken in zip(cases, rounds, seconds, strict=True):
            if number < wanted:
                taken.append(once(case))
    return [Timing(case.size, statistics.median(taken), len(taken)) for case, taken in zip(cases, seconds, strict=True)]
