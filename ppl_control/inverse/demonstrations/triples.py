"""Lists of (state, action, next state) as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["read_triples"]


def read_triples(trajectories: Any) -> list[tuple[Tensor, Tensor, bool | None]]:
    """States [L+1, …], actions [L, …] and whether it ended, of each trajectory.

    Args:
        trajectories: lists of (state, action, next state[, terminated]); indices, numbers or vectors.

    Raises:
        ValueError: no such lists, steps that do not follow each other, or steps after the end; the message names
            trajectory and step.
    """
    return [_steps(i, trajectory) for i, trajectory in enumerate(_iterated(trajectories))]


def _iterated(trajectories: Any) -> list[Any]:
    try:
        return list(trajectories)
    except TypeError:
        raise ValueError(
            f"demonstrations: expected lists of (state, action, next state), got {trajectories!r}"
        ) from None


def _steps(i: int, trajectory: Any) -> tuple[Tensor, Tensor, bool | None]:
    states: list[np.ndarray] = []
    actions: list[np.ndarray] = []
    ended = None
    try:
        steps = list(trajectory)
    except TypeError:
        raise ValueError(f"demonstrations[{i}]: expected a list of steps, got {trajectory!r}") from None
    if not steps:
        raise ValueError(f"demonstrations[{i}]: expected at least one step, got an empty trajectory")
    for t, step in enumerate(steps):
        place = f"demonstrations[{i}] step {t}"
        state, action, following, said = _parts(place, step)
        if ended:
            raise ValueError(f"{place}: it acts after the trajectory ended at step {t - 1}")
        here = _numbers(place, "state", state, states)
        if not t:
            states.append(here)
        elif not np.array_equal(here, states[-1]):
            raise ValueError(f"{place}: it starts in state {state!r}, but step {t - 1} led to {states[-1].tolist()}")
        states.append(_numbers(place, "next state", following, states))
        actions.append(_numbers(place, "action", action, actions))
        ended = said
    return torch.as_tensor(np.stack(states)), torch.as_tensor(np.stack(actions)), ended


def _parts(place: str, step: Any) -> tuple[Any, Any, Any, bool | None]:
    try:
        state, action, following, *said = step
        if len(said) > 1:
            raise TypeError("too many entries")
    except (TypeError, ValueError):
        raise ValueError(f"{place}: expected (state, action, next state[, terminated]), got {step!r}") from None
    return state, action, following, bool(said[0]) if said and said[0] is not None else None


def _numbers(place: str, what: str, value: Any, before: list[np.ndarray]) -> np.ndarray:
    """A number or vector, shaped as those before it."""
    try:
        row = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError):
        row = np.asarray(None)
    if row.dtype.kind not in "iuf" or row.ndim > 1 or (before and row.shape != before[0].shape):
        shape = f" of shape {list(before[0].shape)}" if before and row.dtype.kind in "iuf" else ""
        raise ValueError(f"{place}: expected {what} as a number or vector{shape}, got {value!r}")
    return row if row.dtype.kind == "f" else row.astype(np.int64)  # torch would take bytes for a mask
