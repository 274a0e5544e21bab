"""Beginnings of the agent's episodes like those of the demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["Starts", "find_starts"]

NEAREST = 4  # seeds kept for each demonstration
AT_ONCE = 50  # seeds tried between two looks at what was found


class Starts:
    """Which seeds begin like which demonstration.

    Args:
        seeds: for each of D demonstrations its seeds, in whatever number.
        rng: chooses among them.
    """

    def __init__(self, seeds: Sequence[Sequence[int]], rng: np.random.Generator) -> None:
        self.seeds, self._rng = seeds, rng
        self._order: list[int] = []

    def draw(self, n: int) -> tuple[list[int], list[int]]:
        """Seeds and demonstrations' numbers of n episodes; every demonstration has its turn before one has another."""
        like = [self._next() for _ in range(n)]
        return [int(self._rng.choice(self.seeds[i])) for i in like], like

    def state_dict(self) -> dict[str, Any]:
        """Whose turn it is, and the chooser's state; the seeds follow from the fit's seed."""
        return {"order": list(self._order), "chooser": self._rng.bit_generator.state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state.

        Raises:
            ValueError: a turn of a demonstration that there is none of.
        """
        if not all(type(i) is int and 0 <= i < len(self.seeds) for i in saved["order"]):
            raise ValueError(f"starts.order: expected numbers from 0 to {len(self.seeds) - 1}")
        self._order = list(saved["order"])
        self._rng.bit_generator.state = saved["chooser"]

    def _next(self) -> int:
        if not self._order:
            self._order = self._rng.permutation(len(self.seeds)).tolist()
        return self._order.pop()


def find_starts(
    first: Sequence[np.ndarray],
    first_states: Callable[[Sequence[int]], list[np.ndarray]],
    tries: int,
    rng: np.random.Generator,
) -> Starts:
    """Try seeds, and keep for each demonstration those whose first state is nearest to its own.

    Distances are Euclidean in units of the deviation of the first states tried. The search ends early where nothing
    can be nearer.

    Args:
        first: the demonstrations' first states.
        first_states: where episodes of given seeds begin.
        tries: seeds.
        rng: draws the seeds.
    """
    wanted = np.stack([np.asarray(state, dtype=np.float64).reshape(-1) for state in first])
    seeds: list[int] = []
    found = np.empty((0, wanted.shape[1]))
    for begun in range(0, tries, AT_ONCE):
        new = rng.integers(2**31 - 1, size=min(AT_ONCE, tries - begun)).tolist()
        rows = [np.asarray(state, dtype=np.float64).reshape(-1) for state in first_states(new)]
        seeds, found = [*seeds, *new], np.concatenate([found, np.stack(rows)])
        if bool((np.sort(_distances(wanted, found), axis=1)[:, : NEAREST - 1] == 0).all()):
            break
    order = np.argsort(_distances(wanted, found), axis=1, kind="stable")[:, :NEAREST]
    return Starts([[seeds[k] for k in row] for row in order], rng)


def _distances(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """[D, N]."""
    scale = found.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return np.sqrt((((wanted[:, None] - found[None]) / scale) ** 2).sum(-1))
