"""What the settings of methods are checked for alike."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping
from typing import SupportsIndex

__all__ = ["require_whole"]


def require_whole(settings: object, least: Mapping[str, int], optional: Collection[str] = ()) -> None:
    """Raise a ValueError for the first setting that is no whole number, or too small.

    Args:
        settings: whose attributes are looked at.
        least: attribute → the smallest value that will do.
        optional: those that may also be None.
    """
    for name, smallest in least.items():
        value = getattr(settings, name)
        if value is None and name in optional:
            continue
        if isinstance(value, bool) or not isinstance(value, SupportsIndex) or operator.index(value) < smallest:
            raise ValueError(f"{name}: expected an integer >= {smallest}, got {value!r}")
