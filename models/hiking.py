"""Hiking: two peaks, and a slope one can fall down (agentmodels.org, chapter 3b).

The short way to the high peak (E, East) runs along the edge of a hill (H). The optimistic hiker is sure not to slip.
"""

import torch

from ppl_control.inverse import LinearReward
from ppl_control.mdp import TabularMDP
from ppl_control.models import gridworld
from ppl_control.trajectory import TrajectoryModel

__all__ = ["MAP", "mdp", "model", "reward"]

MAP = """
.....
.#...
.#W#E
S....
HHHHH
"""
"""East, West and the Hill; a wall is ``#``, the start ``S``."""


def mdp(
    noise: float = 0.1, east: float = 10.0, west: float = 1.0, hill: float = -10.0, step: float = -0.1
) -> TabularMDP:
    """The hiking grid; East, West and Hill end the walk when left and pay only their own number.

    Args:
        noise: probability of slipping, half to either side.
        east: reward of the high peak.
        west: reward of the low peak.
        hill: reward of a fall.
        step: reward of every other decision.
    """
    return gridworld.mdp(MAP, {"E": east, "W": west, "H": hill}, step, noise)


def model(
    noise: float = 0.1,
    horizon: int = 13,
    temperature: float = 0.1,
    action_prior: str | None = "uniform",
) -> TrajectoryModel:
    """The hike as a trajectory model.

    Args:
        noise: probability of slipping, half to either side.
        horizon: number of decisions.
        temperature: α, reward units per nat.
        action_prior: ``"uniform"``, or None for the counting measure.
    """
    return TrajectoryModel(mdp(noise), horizon=horizon, temperature=temperature, action_prior=action_prior)


def reward() -> LinearReward:
    """The hiker's tastes, for inverse RL: what East, West, Hill and any other step are worth; zeros at first."""
    names, cells = ("East", "West", "Hill", "step"), "".join(MAP.split())
    features = torch.zeros(len(cells), len(gridworld.MOVES), len(names), dtype=torch.float64)
    for state, cell in enumerate(cells):
        features[state, :, {"E": 0, "W": 1, "H": 2}.get(cell, 3)] = 1.0
    return LinearReward(features, names=names)
