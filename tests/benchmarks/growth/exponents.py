"""Time as a power of the size: exponents by least squares, with standard errors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import linregress

__all__ = ["LEAST", "OVERHEAD", "Power", "fitted", "upper_part"]

OVERHEAD = 0.1  # share of the time that what does not grow may have at most
LEAST = 4  # points: two for the line, two more for its error


class Power(NamedTuple):
    """seconds ≈ factor · size^exponent.

    Attributes:
        exponent: slope of log time on log size.
        stderr: its standard error, from the scatter around the line; it knows nothing of what bends the line, such as
            caches that overflow.
        factor: seconds at size 1, if the line went there.
        used: which points were fitted.
    """

    exponent: float
    stderr: float
    factor: float
    used: np.ndarray

    def __call__(self, size: np.ndarray) -> np.ndarray:
        """Seconds on the line."""
        return self.factor * size**self.exponent


def upper_part(seconds: ArrayLike) -> np.ndarray:
    """Which points to fit: the last of them, as many as take at least 1/OVERHEAD times as long as the shortest.

    What does not grow with the size is in the shortest time too, so it is at most that long: in the points that are
    left it makes up at most the share OVERHEAD.

    Args:
        seconds: in the order of the sizes.
    """
    times = np.asarray(seconds, float)
    short = times < times.min() / OVERHEAD
    return np.arange(len(times)) > short.nonzero()[0].max()


def fitted(sizes: ArrayLike, seconds: ArrayLike) -> Power:
    """Least squares of log time on log size over the upper part.

    Args:
        sizes: increasing.
        seconds: of each size.

    Raises:
        ValueError: sizes that do not increase, times that are not positive, or an upper part of too few points.
    """
    x, y = np.asarray(sizes, float), np.asarray(seconds, float)
    if x.shape != y.shape or not (x > 0).all() or not (np.diff(x) > 0).all():
        raise ValueError(f"sizes: expected one for each time, positive and increasing, got {x.tolist()}")
    if not (np.isfinite(y) & (y > 0)).all():
        raise ValueError(f"seconds: expected positive numbers, got {y.tolist()}")
    used = upper_part(seconds)
    if used.sum() < LEAST:
        most, needed = y.max() / y.min(), 1 / OVERHEAD
        raise ValueError(
            f"sizes: expected at least {LEAST} of them, at the end, to take {needed:.0f} times as long as the "
            f"shortest, got {used.sum()}: the longest takes {most:.1f} times as long; measure larger ones"
        )
    line: Any = linregress(np.log(x[used]), np.log(y[used]))
    return Power(float(line.slope), float(line.stderr), float(np.exp(line.intercept)), used)
