"""What settings are checked for alike, wherever they are given."""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, SupportsIndex

import numpy as np
import torch

__all__ = [
    "floating_type",
    "functions",
    "layer_widths",
    "one_of",
    "real",
    "require_real",
    "require_whole",
    "require_widths",
    "shown",
    "size_of",
    "tried",
    "truth",
    "whole",
]

LARGEST = 2**63 - 1  # whole number that tensors and arrays can hold
MOST_SAID = 1000  # characters of somebody else's error message
WIDEST = 2**31 - 1  # axis that anybody could hold in memory, and an int32 can number

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
_short.maxlong = 60


def shown(value: object) -> str:
    """A value in an error message: short, whatever its own ``repr`` does.

    Example:
        >>> shown(0.5), len(shown("x" * 10_000))
        ('0.5', 200)
    """
    try:
        return _short.repr(value)
    except Exception:  # an integer of more digits than Python prints, an object that cannot be shown
        return f"a {type(value).__name__}"


def whole(name: str, value: Any, least: int, most: int = LARGEST) -> int:
    """A whole number as an ``int``: Python's, NumPy's, or a tensor of one; no bool.

    Args:
        name: of the argument.
        value: what was given.
        least: the smallest that will do.
        most: the largest.

    Raises:
        ValueError: no whole number, or one out of this range.

    Example:
        >>> whole("steps", np.int32(3), 1)
        3
    """
    found = None
    if isinstance(value, SupportsIndex) and not isinstance(value, bool) and getattr(value, "ndim", 0) == 0:
        try:
            found = operator.index(value)
        except Exception:  # an array of floats has the method too, and a tensor of bools counts as a number
            found = None
    if found is None or _is_bool(value) or found < least:
        raise ValueError(f"{name}: expected an integer >= {least}, got {shown(value)}")
    if found > most:
        raise ValueError(f"{name}: expected an integer <= {most}, got {shown(value)}")
    return found


def size_of(name: str, value: Any) -> int:
    """The length of an axis: a whole number of at least 1.

    Raises:
        ValueError: no whole number, or one that no axis can have.
    """
    return whole(name, value, 1, WIDEST)


def real(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    infinite: bool = False,
) -> float:
    """A real number as a ``float``: Python's, NumPy's or a fraction; no bool, no NaN.

    Args:
        name: of the argument.
        value: what was given.
        above: it has to be larger than this, or
        least: at least this.
        below: it has to be smaller than this, or
        most: at most this.
        infinite: whether it may be infinite.

    Raises:
        ValueError: no number, or one out of this range.

    Example:
        >>> real("discount", np.float32(0.5), above=0, most=1)
        0.5
    """
    low, high = least if above is None else above, most if below is None else below
    found = math.nan
    if isinstance(value, Real) and not _is_bool(value):
        try:
            found = float(value)
        except Exception:  # beyond float64, or a duration, which NumPy takes for a whole number
            found = math.nan
    inside = not math.isnan(found) and (infinite or math.isfinite(found))
    inside = inside and (low is None or found > low or (above is None and found == low))
    inside = inside and (high is None or found < high or (below is None and found == high))
    if not inside:
        raise ValueError(f"{name}: expected {_range(above, least, below, most, infinite)}, got {shown(value)}")
    return found


def _range(above: float | None, least: float | None, below: float | None, most: float | None, infinite: bool) -> str:
    low, high = least if above is None else above, most if below is None else below
    if low is not None and high is not None:
        return f"a number in {'[' if above is None else '('}{low:g}, {high:g}{']' if below is None else ')'}"
    kind = "a number" if infinite else "a finite number"
    bounds = (("> ", above), (">= ", least), ("< ", below), ("<= ", most))
    return " ".join([kind, *(f"{sign}{bound:g}" for sign, bound in bounds if bound is not None)])


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) in (torch.bool, np.bool_)


def layer_widths(name: str, value: Any) -> tuple[int, ...]:
    """The widths of a network's hidden layers, from the first to the last; none: a linear map.

    Raises:
        ValueError: no sequence of whole numbers of at least 1.
    """
    flat = not isinstance(value, np.ndarray) or value.ndim == 1
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray) or not flat:
        raise ValueError(f"{name}: expected the widths of the layers, e.g. (64, 64), got {shown(value)}")
    return tuple(size_of(name, width) for width in value)


def functions(name: str, value: Any) -> tuple[Callable[..., Any], ...]:
    """Functions that are called on the way: one, or several.

    Raises:
        ValueError: something among them that cannot be called.
    """
    several = isinstance(value, Iterable) and not callable(value) and not isinstance(value, str | bytes | Mapping)
    try:
        given: tuple[Any, ...] = tuple(value) if several else (value,)
    except TypeError:  # a tensor of no dimensions
        given = (value,)
    for each in given:
        if isinstance(each, type) or not callable(each):
            raise ValueError(f"{name}: expected functions, got {shown(each)}")
    return given


def tried(name: str, call: Callable[[], Any], doing: str = "when it was tried") -> Any:
    """What something of the user's returns, or a ValueError that names it where it fails, with whatever it raised."""
    try:
        return call()
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error)[:MOST_SAID]}"
        raise ValueError(f"{name}: failed {doing}: {reason}") from error


def one_of(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise a ValueError where a value is none of some names, or None among them."""
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise ValueError(f"{name}: expected one of {list(choices)}, got {shown(value)}")


def truth(name: str, value: Any) -> bool:
    """True or False, Python's or NumPy's.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: expected True or False, got {shown(value)}")
    return bool(value)


def floating_type(name: str, value: Any) -> torch.dtype:
    """A real floating-point type of torch's.

    Raises:
        ValueError: another type.
    """
    if not isinstance(value, torch.dtype) or not value.is_floating_point or torch.finfo(value).bits < 16:
        raise ValueError(f"{name}: expected a floating-point type such as torch.float64, got {shown(value)}")
    return value


def require_whole(settings: object, least: Mapping[str, int], optional: Collection[str] = ()) -> None:
    """Keep settings as ``int``, or raise a ValueError for the first that is no whole number, or too small.

    Args:
        settings: a dataclass whose fields are looked at.
        least: field → the smallest value that will do.
        optional: those that may also be None.
    """
    for name, smallest in least.items():
        value = getattr(settings, name)
        if value is not None or name not in optional:
            object.__setattr__(settings, name, whole(name, value, smallest))


def require_real(settings: object, names: Collection[str], *, optional: bool = False, **bounds: Any) -> None:
    """Keep settings as ``float``, or raise a ValueError for the first that is no number, or out of its range.

    Args:
        settings: a dataclass whose fields are looked at.
        names: the fields.
        optional: whether they may also be None.
        bounds: as for ``real``.
    """
    for name in names:
        value = getattr(settings, name)
        if value is not None or not optional:
            object.__setattr__(settings, name, real(name, value, **bounds))


def require_widths(settings: object, name: str = "hidden") -> None:
    """Keep a setting as a tuple of widths, or raise a ValueError where it is none."""
    object.__setattr__(settings, name, layer_widths(name, getattr(settings, name)))
