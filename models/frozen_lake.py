"""Gymnasium's FrozenLake-v1: each step slips to either side with probability 1/3 each.

The reward comes only at the goal, so that the posterior is sure to reach it: it believes in ice that carries it there.
"""

from ppl_control.mdp import TabularMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["mdp", "model"]


def mdp(map_name: str = "4x4", is_slippery: bool = True) -> TabularMDP:
    """The lake's own outcome table.

    Args:
        map_name: gymnasium's, ``"4x4"`` or ``"8x8"``.
        is_slippery: True: a step goes to either side with probability 1/3 each.
    """
    return TabularMDP.from_gymnasium("FrozenLake-v1", map_name=map_name, is_slippery=is_slippery)


def model(
    map_name: str = "4x4",
    is_slippery: bool = True,
    horizon: int = 100,
    temperature: float = 0.02,
    action_prior: str | None = None,
) -> TrajectoryModel:
    """The lake as a trajectory model.

    Args:
        map_name: gymnasium's, ``"4x4"`` or ``"8x8"``.
        is_slippery: True: a step goes to either side with probability 1/3 each.
        horizon: number of decisions.
        temperature: α, reward units per nat.
        action_prior: ``"uniform"``, or None for the counting measure.
    """
    return TrajectoryModel(
        mdp(map_name, is_slippery),
        horizon=horizon,
        temperature=temperature,
        action_prior=action_prior,
    )
