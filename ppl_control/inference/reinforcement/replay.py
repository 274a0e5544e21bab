"""What was lived through, kept to be learned from again."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppl_control.settings import whole
from ppl_control.trajectory.worlds import Moved

__all__ = ["Batch", "Replay", "columns"]

LARGEST = 2**62  # random integers below it, taken modulo the number of rows, are uniform for all purposes


class Batch(NamedTuple):
    """Transitions, one a row, all float32.

    Attributes:
        observation: [B, d]; a discrete observation is its index, d = 1.
        action: [B, m]; a discrete action is its index, m = 1.
        reward: reward units, [B].
        terminated: 1 where nothing follows, [B]. Truncation is not kept: the next observation is bootstrapped from.
        next_observation: [B, d].
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    next_observation: Tensor


def columns(rows: Tensor, widths: Sequence[int]) -> Batch:
    """Rows [B, width] as a batch of views, from the widths of its five columns."""
    observation, action, reward, terminated, following = rows.split(list(widths), dim=1)
    return Batch(observation, action, reward[:, 0], terminated[:, 0], following)


class Replay:
    """The last ``capacity`` transitions, one float32 row each: observation, action, reward, terminated, next one.

    One matrix, so that a batch is one ``index_select``. Memory is taken as it fills.

    Args:
        capacity: rows; the oldest are overwritten.
        observation_width: d; 1 for discrete observations.
        action_width: m; 1 for discrete actions.
        device: where the rows live.

    Raises:
        ValueError: a size below 1.

    Example:
        >>> replay = Replay(10, observation_width=3, action_width=1)
        >>> len(replay), replay.rows.shape
        (0, torch.Size([10, 9]))
    """

    def __init__(
        self, capacity: int, *, observation_width: int, action_width: int, device: torch.device | str = "cpu"
    ) -> None:
        for name, value in (
            ("capacity", capacity),
            ("observation_width", observation_width),
            ("action_width", action_width),
        ):
            whole(name, value, 1)
        self.capacity = operator.index(capacity)
        self.widths = [observation_width, action_width, 1, 1, observation_width]
        self.rows = torch.zeros(self.capacity, sum(self.widths), device=device)
        self.filled = 0  # rows that hold something
        self.position = 0  # the row written next

    def __len__(self) -> int:
        return self.filled

    def add(self, moved: Moved) -> None:
        """Keep one step of n environments, n ≤ capacity."""
        n = len(moved.reward)
        new = np.empty((n, self.rows.shape[1]), dtype=np.float32)
        d, m = self.widths[:2]
        new[:, :d] = moved.observation.reshape(n, d)
        new[:, d : d + m] = moved.action.reshape(n, m)
        new[:, d + m] = moved.reward
        new[:, d + m + 1] = moved.terminated
        new[:, d + m + 2 :] = moved.next_observation.reshape(n, d)
        fit = min(n, self.capacity - self.position)
        rows = torch.from_numpy(new)
        self.rows[self.position : self.position + fit] = rows[:fit]
        self.rows[: n - fit] = rows[fit:]
        self.position = (self.position + n) % self.capacity
        self.filled = min(self.filled + n, self.capacity)

    def draw(self, batches: int, batch_size: int, generator: torch.Generator) -> Tensor:
        """Random integers [batches, batch_size] for as many calls of ``read``; the replay may grow in between."""
        return torch.randint(LARGEST, (batches, batch_size), generator=generator, device=generator.device)

    def read(self, drawn: Tensor) -> Tensor:
        """Rows drawn uniformly with replacement, [B, width], from one row of ``draw``."""
        return self.rows.index_select(0, (drawn % self.filled).to(self.rows.device))

    def split(self, rows: Tensor) -> Batch:
        """The columns of rows, as views."""
        return columns(rows, self.widths)

    def sample(self, batch_size: int, generator: torch.Generator) -> Batch:
        """A batch drawn uniformly with replacement."""
        return self.split(self.read(self.draw(1, batch_size, generator)[0]))

    def state_dict(self) -> dict[str, Any]:
        """The rows that are filled, and where the next one goes."""
        return {"rows": self.rows[: self.filled].cpu().clone(), "position": self.position}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over stored rows.

        Raises:
            RuntimeError: they are of another width or too many.
        """
        rows = saved["rows"]
        if len(rows) > self.capacity or rows.shape[1] != self.rows.shape[1]:
            raise RuntimeError(f"replay: {list(rows.shape)} rows do not fit {list(self.rows.shape)}")
        position, full = saved["position"], len(rows) == self.capacity
        if not (0 <= position < self.capacity if full else position == len(rows)):
            raise RuntimeError(f"replay: the next row cannot be {position:g} after {len(rows)} of {self.capacity}")
        self.filled, self.position = len(rows), position
        self.rows[: self.filled] = rows.to(self.rows.device)
