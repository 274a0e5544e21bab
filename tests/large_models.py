"""Models too large to be dense, made in NumPy: random graphs and windy grids."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from ppl_control import TabularMDP

__all__ = ["grid", "random_graph"]

ACTIONS = 4


def random_graph(num_states: int, *, successors: int = 5, seed: int = 0) -> TabularMDP:
    """Each action leads to a few states drawn anywhere; rewards are standard normal; nothing ends."""
    rng = np.random.default_rng(seed)
    rows = num_states * ACTIONS
    chance = rng.dirichlet(np.ones(successors), rows).ravel()
    target = rng.integers(0, num_states, rows * successors)
    transition = csr_array((chance, target, np.arange(0, rows * successors + 1, successors)), (rows, num_states))
    return TabularMDP(_anywhere(num_states), transition, rng.normal(size=(num_states, ACTIONS)))


def grid(side: int, *, goal: bool = True, seed: int = 0) -> TabularMDP:
    """Four directions, which work with probability 0.8; otherwise any of them, or none.

    A step costs 1 until a corner is reached, which ends it; without a goal rewards are standard normal.
    """
    n = side * side
    x, y = np.arange(n) % side, np.arange(n) // side
    steps = ((1, 0), (-1, 0), (0, 1), (0, -1), (0, 0))
    ways = [np.clip(x + dx, 0, side - 1) + side * np.clip(y + dy, 0, side - 1) for dx, dy in steps]
    target = np.broadcast_to(np.stack(ways, -1)[:, None], (n, ACTIONS, len(steps)))
    chance = np.full((n, ACTIONS, len(steps)), 0.05)
    for action in range(ACTIONS):
        chance[:, action, action] = 0.8
    starts = np.arange(0, target.size + 1, len(steps))
    transition = csr_array((chance.ravel(), target.ravel(), starts), (n * ACTIONS, n))
    if not goal:
        reward = np.random.default_rng(seed).normal(size=(n, ACTIONS))
        return TabularMDP(_anywhere(n), transition, reward)
    return TabularMDP(_anywhere(n), transition, np.full((n, ACTIONS), -1.0), done=np.arange(n) == n - 1)


def _anywhere(num_states: int) -> np.ndarray:
    return np.full(num_states, 1 / num_states)
