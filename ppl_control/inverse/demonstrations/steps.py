"""All decisions of demonstrations in one row, held against the sizes of a tabular model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ppl_control.inverse.demonstrations.records import Demonstrations
from ppl_control.inverse.world import World

__all__ = ["Steps", "flattened"]


@dataclass(frozen=True, eq=False)
class Steps:
    """All decisions in one row, [N]; first and final state of each trajectory, which has ``length`` decisions."""

    trajectory: np.ndarray
    t: np.ndarray
    state: np.ndarray
    action: np.ndarray
    following: np.ndarray
    first: np.ndarray
    final: np.ndarray
    length: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """Whether a decision is its trajectory's last."""
        return self.t == self.length[self.trajectory] - 1

    def refuse(self, bad: np.ndarray, what: str) -> None:
        """Raise a ValueError for the first bad decision; ``what`` may name its columns, and ``after`` the next step."""
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            said = what.format(s=self.state[i], a=self.action[i], next=self.following[i], after=self.t[i] + 1)
            raise ValueError(f"demonstrations[{self.trajectory[i]}] step {self.t[i]}: {said}")


def flattened(world: World, demonstrations: Demonstrations) -> Steps:
    """The decisions of all trajectories, one after the other.

    Raises:
        ValueError: states or actions that are no indices of the model's, or more decisions than it has; the message
            names trajectory and step.
    """
    tables = world.tables
    states = _column("state", demonstrations.states, tables.num_states, silent=demonstrations.survival_drawn)
    actions = _column("action", demonstrations.actions, tables.num_actions)
    length = np.array([len(rows) for rows in demonstrations.actions])
    if tables.horizon is not None and (long := length > tables.horizon).any():
        raise ValueError(
            f"demonstrations[{np.flatnonzero(long)[0]}] step {tables.horizon}: the model has a horizon of "
            f"{tables.horizon} decisions"
        )
    trajectory = np.repeat(np.arange(len(length)), length)
    place = np.arange(len(trajectory)) + trajectory  # a trajectory has one state more than decisions
    final = np.cumsum(length + 1) - 1
    return Steps(
        trajectory=trajectory,
        t=place - (final - length)[trajectory],
        state=states[place],
        action=actions,
        following=states[place + 1],
        first=states[final - length],
        final=states[final],
        length=length,
    )


def _column(what: str, rows: Sequence[Tensor], size: int, silent: bool = False) -> np.ndarray:
    """Indices in one row; where ``silent``, a trajectory may end in S, an end that was not recorded."""
    for i, each in enumerate(rows):
        if each.ndim != 1:
            article = "an" if what == "action" else "a"
            raise ValueError(f"demonstrations[{i}]: expected one index {article} {what}, got shape {list(each.shape)}")
    mixed = len({each.dtype for each in rows}) > 1  # torch would take large indices for float32
    values = torch.cat([each.cpu().double() if mixed else each.cpu() for each in rows])
    found, ends = values.long().numpy(), np.cumsum([len(each) for each in rows])
    good = ((values >= 0) & (values < size) & (values == values.long())).numpy()
    if silent:
        good[ends - 1] |= found[ends - 1] == size
    if not good.all():
        k = int(np.flatnonzero(~good)[0])
        i = int(np.searchsorted(ends, k, side="right"))
        raise ValueError(
            f"demonstrations[{i}] step {k - ends[i] + len(rows[i])}: {what} {values[k].item()} is out of range, "
            f"expected 0 … {size - 1}"
        )
    return found
