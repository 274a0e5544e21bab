"""Gymnasium's CliffWalking-v1: deterministic unless slippery, so that belief and fact agree.

Where nothing is left to luck, conditioning on success is harmless: log Z is the best bound, and the optimism is 0.
"""

from ppl_control.mdp import GridLayout, TabularMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["MAP", "mdp", "model"]

MAP = ("." * 12, "." * 12, "." * 12, "SCCCCCCCCCCG")
"""Start, cliff and goal, for pictures."""


def mdp(is_slippery: bool = False) -> TabularMDP:
    """The cliff's own outcome table.

    Args:
        is_slippery: True: a step goes to either side with probability 1/3 each.
    """
    cliff = TabularMDP.from_gymnasium("CliffWalking-v1", is_slippery=is_slippery)
    return cliff.with_layout(GridLayout(MAP))


def model(
    is_slippery: bool = False,
    horizon: int = 50,
    temperature: float = 1.0,
    action_prior: str | None = "uniform",
) -> TrajectoryModel:
    """The cliff as a trajectory model.

    Args:
        is_slippery: True: a step goes to either side with probability 1/3 each.
        horizon: number of decisions.
        temperature: α, reward units per nat.
        action_prior: ``"uniform"``, or None for the counting measure.
    """
    return TrajectoryModel(mdp(is_slippery), horizon=horizon, temperature=temperature, action_prior=action_prior)
