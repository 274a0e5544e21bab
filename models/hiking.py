"""Hiking: two peaks, and a slope one can fall down (agentmodels.org, chapter 3b).

The short way to the high peak (E, East) runs along the edge of a hill (H). The optimistic hiker is sure not to slip.
"""

from ppl_control.mdp import TabularMDP
from ppl_control.models import gridworld
from ppl_control.trajectory import TrajectoryModel

__all__ = ["MAP", "mdp", "model"]

MAP = """
.....
.#...
.#W#E
S....
HHHHH
"""


def mdp(
    noise: float = 0.1, east: float = 10.0, west: float = 1.0, hill: float = -10.0, step: float = -0.1
) -> TabularMDP:
    """The hiking grid; East, West and Hill end the walk when left and pay only their own number."""
    return gridworld.mdp(MAP, {"E": east, "W": west, "H": hill}, step, noise)


def model(
    noise: float = 0.1,
    horizon: int = 13,
    temperature: float = 0.1,
    action_prior: str | None = "uniform",
) -> TrajectoryModel:
    """The hike as a trajectory model."""
    return TrajectoryModel(mdp(noise), horizon=horizon, temperature=temperature, action_prior=action_prior)
