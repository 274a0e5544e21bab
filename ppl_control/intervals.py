"""Means over seeds with 95% intervals."""

from __future__ import annotations

import math
from functools import lru_cache

import pandas as pd

__all__ = ["MEASURED", "over_seeds", "student_quantile"]

MEASURED = ("bound", "believed", "executed", "optimism")
LEVEL = 0.95


@lru_cache
def student_quantile(freedom: int, level: float = LEVEL) -> float:
    """The t with P(|T| < t) = level for Student's T with that many degrees of freedom.

    References:
        Abramowitz and Stegun (1964), eq. 26.7.3 and 26.7.4.

    Example:
        >>> student_quantile(9)
        2.262157
    """
    low, high = 0.0, 1e6
    while high - low > 1e-12 * (1 + low):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < level else (low, middle)
    return low


def _inside(t: float, freedom: int) -> float:
    angle = math.atan2(t, math.sqrt(freedom))
    cosine, odd = math.cos(angle), freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(odd + 2, freedom + 1, 2):
        total += term
        term *= (k - 1) / k * cosine**2
    if not odd:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + math.sin(angle) * total)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """One row a model and method: means over the seeds, and half the width of their 95% intervals.

    Several seeds: Student's interval of the mean. One seed: 1.96 standard errors of its simulation.

    Args:
        table: a ``Comparison``'s table.

    Returns:
        Columns model, method, seeds, then each of bound (nats), believed, executed and optimism (reward units) with
        ``…_interval``, temperature and seconds. −∞ stays −∞, without an interval.
    """
    rows = []
    for key, runs in table.groupby(["model", "method"], sort=False):
        model, method = key  # type: ignore[misc]
        row: dict[str, object] = {"model": model, "method": method, "seeds": len(runs)}
        for name in MEASURED:
            row[name] = float(runs[name].mean())
            row[f"{name}_interval"] = _half_width(runs, name)
        row["temperature"], row["seconds"] = float(runs["temperature"].iloc[0]), float(runs["seconds"].mean())
        rows.append(row)
    return pd.DataFrame(rows)


def _half_width(runs: pd.DataFrame, name: str) -> float:
    values = [float(value) for value in runs[name]]
    if not all(map(math.isfinite, values)):
        return math.nan
    if len(values) == 1:
        error = math.hypot(*(float(runs[f"{part}_stderr"].iloc[0]) for part in _parts(name)))
        return 1.96 * error
    spread = float(runs[name].to_numpy().std(ddof=1)) if max(values) > min(values) else 0.0
    return student_quantile(len(values) - 1) * spread / math.sqrt(len(values))


def _parts(name: str) -> tuple[str, ...]:
    return ("believed", "executed") if name == "optimism" else (name,)
