"""Lists of (state, action, next state) as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["listed", "read_end", "read_triples"]


def read_triples(trajectories: Any) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[bool | None]]:
    """States [L+1, …], actions [L, …] and whether it ended, of each trajectory.

    Args:
        trajectories: lists of (state, action, next state[, terminated]); indices, numbers or vectors.

    Raises:
        ValueError: no such lists, steps that do not follow each other, or steps after the end; the message names
            trajectory and step.
    """
    expected = "demonstrations: expected lists of (state, action, next state)"
    given = [
        each if type(each) is list else listed(each, f"demonstrations[{i}]: expected a list of steps")
        for i, each in enumerate(listed(trajectories, expected))
    ]
    if (plain := _plain(given)) is not None:
        return plain
    rows = [_steps(i, trajectory) for i, trajectory in enumerate(given)]
    states, actions, ended = zip(*rows, strict=True) if rows else ((), (), ())
    return states, actions, ended


def listed(given: Any, expected: str) -> list[Any]:
    """The items in their order; where there are none to be had, a ValueError that begins with ``expected``."""
    try:
        items = iter(given)
    except TypeError:
        items = None
    if items is None or isinstance(given, str | bytes | Mapping | Set):
        raise ValueError(f"{expected}, got {given!r}")
    return list(items)


def read_end(place: str, said: Any) -> bool | None:
    """Whether a trajectory was said to have ended: True, False or None, also as NumPy or torch have them.

    Raises:
        ValueError: anything else, such as a reward in its place.
    """
    if said is None or isinstance(said, bool):
        return said
    boolean = isinstance(said, Tensor) and said.dtype == torch.bool
    boolean |= isinstance(said, np.ndarray | np.generic) and said.dtype == np.bool_
    if not boolean or said.ndim:
        raise ValueError(f"{place}: expected terminated to be True, False or None, got {said!r}")
    return bool(said)


def _plain(given: list[list[Any]]) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[bool | None]] | None:
    """Many indices at once; None where they are anything else, or wrong, which takes a look at each."""
    steps = list(chain.from_iterable(given))
    if not all(given) or not set(map(type, steps)) <= {tuple, list} or len(widths := set(map(len, steps))) != 1:
        return None
    (width,) = widths
    said = [step[3] for step in steps] if width == 4 else [None] * len(steps)
    numbers = list(chain.from_iterable(step[:3] for step in steps))
    kinds = set(map(type, numbers))
    if width not in (3, 4) or not all(kind is int or issubclass(kind, np.signedinteger) for kind in kinds):
        return None
    try:
        ended = [read_end("", each) for each in said]
        state, action, following = np.array(numbers, dtype=np.int64).reshape(-1, 3).T
    except (ValueError, OverflowError):
        return None
    lengths = np.array([len(trajectory) for trajectory in given])
    last = np.cumsum(lengths) - 1
    goes_on = np.ones(len(steps), dtype=bool)
    goes_on[last] = False
    if any(ended[t] for t in np.flatnonzero(goes_on)) or (following[:-1] != state[1:])[goes_on[:-1]].any():
        return None
    states = np.insert(state, last + 1, following[last])
    return (
        torch.as_tensor(states).split((lengths + 1).tolist()),
        torch.as_tensor(action.copy()).split(lengths.tolist()),
        [ended[t] for t in last],
    )


def _steps(i: int, steps: list[Any]) -> tuple[Tensor, Tensor, bool | None]:
    states: list[np.ndarray] = []
    actions: list[np.ndarray] = []
    ended = None
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
    expected = f"{place}: expected (state, action, next state[, terminated])"
    parts = listed(step, expected)
    if len(parts) not in (3, 4):
        raise ValueError(f"{expected}, got {step!r}")
    state, action, following, *said = parts
    return state, action, following, read_end(place, said[0] if said else None)


def _numbers(place: str, what: str, value: Any, before: list[np.ndarray]) -> np.ndarray:
    """A number or vector, shaped as those before it; int64 or floating-point, as torch takes them."""
    try:
        row = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        row = np.asarray(None)
    if row.dtype.kind not in "iuf" or row.ndim > 1 or (before and row.shape != before[0].shape):
        shape = f" of shape {list(before[0].shape)}" if before and row.dtype.kind in "iuf" else ""
        raise ValueError(f"{place}: expected {what} as a number or vector{shape}, got {value!r}")
    if row.dtype.kind == "f":
        return row if row.itemsize <= 8 else row.astype(np.float64)
    if (row > np.iinfo(np.int64).max).any():
        raise ValueError(f"{place}: expected {what} below 2⁶³, got {value!r}")
    return row.astype(np.int64)  # torch would take bytes for a mask
