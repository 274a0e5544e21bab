"""Grid worlds drawn as text.

``#`` is a wall, ``S`` a start, any other character a cell; characters with a reward in ``terminal`` end the walk when
left. A move slips to either side with probability noise/2 each; a bump into wall or edge stays put.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ppl_control.mdp import GridLayout, TabularMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["MOVES", "mdp", "model"]

MOVES = {"left": (0, -1), "down": (1, 0), "right": (0, 1), "up": (-1, 0)}
"""Action → (rows, columns) of its step; actions stand in this order."""

ROOMS = """
S..#...
...#...
.......
...#..G
..T#...
"""


def mdp(
    drawing: str | Sequence[str] = ROOMS,
    terminal: Mapping[str, float] | None = None,
    step_reward: float = -0.1,
    noise: float = 0.1,
) -> TabularMDP:
    """The MDP of a drawing.

    Args:
        drawing: rows from top to bottom; several ``S`` start with equal probability.
        terminal: character → reward of the one decision that is spent on such a cell (without the step's
            reward); None: ``G`` pays 10, ``T`` pays −10.
        step_reward: reward of every other decision.
        noise: probability of slipping, half to either side.

    Raises:
        ValueError: no start, ragged rows, or a noise outside [0, 1].
    """
    rows = drawing.split() if isinstance(drawing, str) else list(drawing)
    layout = GridLayout(tuple(rows))
    rewards = {"G": 10.0, "T": -10.0} if terminal is None else dict(terminal)
    if not 0 <= noise <= 1:
        raise ValueError(f"noise: expected a probability in [0, 1], got {noise!r}")
    height, width = layout.shape
    starts = np.array([layout[s] == "S" for s in range(height * width)], dtype=float)
    if not starts.any():
        raise ValueError("drawing: no cell is a start 'S'")

    def move(state: int, step: tuple[int, int]) -> int:
        row, column = layout.cell(state)
        row, column = row + step[0], column + step[1]
        inside = 0 <= row < height and 0 <= column < width
        return row * width + column if inside and rows[row][column] != "#" else state

    def outcomes(state: int, step: tuple[int, int]) -> list[tuple[float, int, float, bool]]:
        if layout[state] in rewards:
            return [(1.0, state, rewards[layout[state]], True)]
        down, right = step
        chances = {step: 1 - noise, (right, down): noise / 2, (-right, -down): noise / 2}
        return [(p, move(state, turn), step_reward, False) for turn, p in chances.items()]

    return TabularMDP.from_outcomes(
        [[outcomes(state, step) for step in MOVES.values()] for state in range(height * width)],
        initial=starts / starts.sum(),
        state_names=[f"{layout[s]}{layout.cell(s)}" for s in range(height * width)],
        action_names=list(MOVES),
        layout=layout,
    )


def model(
    drawing: str | Sequence[str] = ROOMS,
    terminal: Mapping[str, float] | None = None,
    step_reward: float = -0.1,
    noise: float = 0.1,
    horizon: int = 30,
    temperature: float = 0.5,
    action_prior: str | None = "uniform",
) -> TrajectoryModel:
    """A drawing as a trajectory model.

    Args:
        drawing: rows from top to bottom.
        terminal: character → reward of leaving it; None: as in ``mdp``.
        step_reward: reward of every other decision.
        noise: probability of slipping, half to either side.
        horizon: number of decisions.
        temperature: α, reward units per nat.
        action_prior: ``"uniform"``, or None for the counting measure.
    """
    return TrajectoryModel(
        mdp(drawing, terminal, step_reward, noise),
        horizon=horizon,
        temperature=temperature,
        action_prior=action_prior,
    )
