"""A run's record: one row for every step of the method."""

from __future__ import annotations

import math

__all__ = ["record"]


def record(history: dict[str, list[float]], number: int, metrics: dict[str, float]) -> None:
    """Append a row in place; NaN where a quantity was not known yet, in columns of one length."""
    row = {"step": float(number)} | metrics
    length = len(history.get("step", ()))
    for name in dict.fromkeys([*row, *history]):
        history.setdefault(name, [math.nan] * length).append(row.get(name, math.nan))
