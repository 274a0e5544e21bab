"""Checks of table-shaped input; every error names the argument, the place, the value and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsFloat

import numpy as np
import torch

from ppl_control.settings import shown

__all__ = ["as_array", "as_tensor", "check_finite", "check_names", "check_nonnegative", "check_sums", "tolerance"]


def as_array(name: str, value: object) -> np.ndarray:
    """A numpy array of floats from a list, an array or a tensor, in the precision it came in, at most float64.

    It may share the memory of what was given. Torch can read it: its bytes are in the machine's order.
    """
    try:
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        if array.dtype.kind not in "biufO":  # a cast would drop the imaginary part or the unit, or read a text
            raise ValueError(f"values of type {array.dtype}")
        if array.dtype.kind == "O":
            for entry in array.flat:
                if not isinstance(entry, SupportsFloat):  # None would become NaN
                    raise ValueError(shown(entry))
        if array.dtype.kind == "f" and array.itemsize <= 8:
            return array.astype(array.dtype.newbyteorder("="), copy=False)
        return array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{name}: expected a rectangular table of numbers, got {error}") from error


def as_tensor(name: str, value: object, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of floats with memory of its own, in the precision it came in or another; a tensor stays on its device.

    Raises:
        ValueError: no rectangular table of real numbers.
    """
    if isinstance(value, torch.Tensor) and value.is_floating_point() and _has_numbers(value):
        table = value.detach().clone()
    else:
        table = torch.as_tensor(np.array(as_array(name, value), order="C"))
    return table if dtype is None else table.to(dtype)


def _has_numbers(value: torch.Tensor) -> bool:
    return value.layout == torch.strided and not value.is_meta


def tolerance(array: np.ndarray) -> float:
    """How far a row may be from summing to 1: the square root of the input's own rounding unit."""
    return float(np.sqrt(np.finfo(array.dtype).eps))


def _first(bad: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.argwhere(bad)[0])


def check_finite(name: str, array: np.ndarray, places: np.ndarray | None = None) -> None:
    """Raise a ValueError that names the first NaN or infinite entry; ``places`` [D, E] are the entries' own indices."""
    _check(name, array, np.isfinite(array), "a finite number", places)


def check_nonnegative(name: str, array: np.ndarray, places: np.ndarray | None = None) -> None:
    """Raise a ValueError that names the first entry which is no probability."""
    check_finite(name, array, places)
    _check(name, array, array >= 0, "a probability >= 0", places)


def _check(name: str, array: np.ndarray, good: np.ndarray, expected: str, places: np.ndarray | None) -> None:
    if not good.all():
        place = _first(~good)
        where = place if places is None else tuple(int(index) for index in places[:, place[0]])
        raise ValueError(f"{name}{list(where)} is {array[place]}: expected {expected}")


def check_sums(name: str, sums: np.ndarray, allowed: float, exempt: np.ndarray | None = None) -> None:
    """Raise a ValueError that names the first row whose sum is not 1."""
    bad = np.abs(sums - 1) > allowed
    if exempt is not None:
        bad &= ~exempt
    if bad.any():
        place = _first(np.atleast_1d(bad))
        value = np.atleast_1d(sums)[place]
        where = f"{name}{list(place)}" if sums.ndim else name
        raise ValueError(f"{where} sums to {value:.12g}: expected 1 (within {allowed:.1e})")


def check_names(name: str, names: Sequence[str] | None, count: int, default: str) -> tuple[str, ...]:
    """The given names as a tuple, or ``default`` numbered; unique, one for each index."""
    if names is None:
        return tuple(f"{default}{index}" for index in range(count))
    if isinstance(names, str) or not isinstance(names, Sequence | np.ndarray):
        raise ValueError(f"{name}: expected {count} names, got {shown(names)}")
    for index, entry in enumerate(names):
        if not isinstance(entry, str):
            raise ValueError(f"{name}[{index}]: expected a name, got {shown(entry)}")
    if len(names) != count:
        raise ValueError(f"{name}: expected {count} names, got {len(names)}")
    if len(set(names)) != count:
        raise ValueError(f"{name}: names must differ from each other, got {shown(list(names))}")
    return tuple(str(entry) for entry in names)
