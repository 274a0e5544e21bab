"""States and actions of a trajectory held against the space they should come from."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

__all__ = ["beyond", "checked_column"]

SLACK = 1e-4  # of a box's width, by which an action may lie outside through rounding


def checked_column(
    rows: Tensor, space: spaces.Space, dtype: torch.dtype, i: int, what: str, *, bounded: bool = False
) -> Tensor:
    """One row a step, as indices from 0 (int64) or vectors (``dtype``), on the CPU.

    Args:
        rows: states or actions of one trajectory, one row a step.
        space: ``Discrete`` (whatever its ``start``, indices count from 0) or ``Box``.
        dtype: of vectors.
        i: the trajectory's number, for messages.
        what: ``"state"`` or ``"action"``, for messages.
        bounded: vectors must lie in the box, up to rounding; they are then put into it.

    Raises:
        ValueError: another shape, or a row out of range; the message names trajectory and step.
    """
    rows = rows.detach().cpu()
    if isinstance(space, spaces.Discrete):
        return _indices(rows, int(space.n), i, what)
    assert isinstance(space, spaces.Box)
    if tuple(rows.shape[1:]) != space.shape:
        raise ValueError(
            f"demonstrations[{i}] step 0: expected {_article(what)} {what} of shape {list(space.shape)}, got shape "
            f"{list(rows.shape[1:])}"
        )
    rows = rows.to(dtype)
    _refuse(~rows.isfinite().all(-1), rows, i, f"expected a finite {what}")
    return _inside(rows, space, i, what) if bounded else rows


def beyond(rows: Tensor, space: spaces.Box) -> tuple[Tensor, Tensor, Tensor]:
    """Which vectors lie outside the box by more than rounding, [N], and its bounds in their precision."""
    low, high = (torch.as_tensor(np.asarray(bound), dtype=rows.dtype) for bound in (space.low, space.high))
    slack = torch.where((high - low).isfinite(), SLACK * (high - low), 0.0)
    return ((rows < low - slack) | (rows > high + slack)).any(-1), low, high


def _inside(rows: Tensor, space: spaces.Box, i: int, what: str) -> Tensor:
    outside, low, high = beyond(rows, space)
    _refuse(outside, rows, i, f"expected {_article(what)} {what} between {low.tolist()} and {high.tolist()}")
    return rows.clamp(low, high)


def _indices(rows: Tensor, n: int, i: int, what: str) -> Tensor:
    if rows.ndim != 1:
        raise ValueError(
            f"demonstrations[{i}] step 0: expected {_article(what)} {what} that is an index, got shape "
            f"{list(rows.shape[1:])}"
        )
    broken = rows != rows.round() if rows.is_floating_point() else torch.zeros_like(rows, dtype=torch.bool)
    _refuse(broken | (rows < 0) | (rows >= n), rows, i, f"expected {_article(what)} {what} from 0 to {n - 1}")
    return rows.long()


def _refuse(wrong: Tensor, rows: Tensor, i: int, expected: str) -> None:
    if bool(wrong.any()):
        step = int(wrong.nonzero()[0, 0])
        raise ValueError(f"demonstrations[{i}] step {step}: {expected}, got {rows[step].tolist()}")


def _article(what: str) -> str:
    return "an" if what == "action" else "a"
