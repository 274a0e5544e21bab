"""Checks of matrices that come as numbers, lists, arrays or tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppl_control.mdp.validation import as_array, check_finite

__all__ = ["matrix", "semidefinite", "symmetric", "vector"]


def matrix(name: str, value: Any, shape: tuple[int | None, int | None] = (None, None)) -> np.ndarray:
    """A finite matrix; a number is 1 × 1. None stands for any length.

    Raises:
        ValueError: another shape, or NaN.
    """
    table = np.array(as_array(name, value), order="C")  # whoever gave it may write into it later
    table = table.reshape(1, 1) if table.ndim == 0 else table
    fits = table.ndim == 2 and table.size > 0
    if not fits or any(want not in (None, got) for want, got in zip(shape, table.shape, strict=True)):
        wanted = " × ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name}: expected a matrix of shape {wanted}, got shape {table.shape}")
    check_finite(name, table)
    return table


def vector(name: str, value: Any, length: int) -> np.ndarray:
    """A finite vector; a number has length 1.

    Raises:
        ValueError: another shape, or NaN.
    """
    table = np.array(as_array(name, value), order="C")
    table = table.reshape(1) if table.ndim == 0 else table
    if table.shape != (length,):
        raise ValueError(f"{name}: expected shape ({length},), got {table.shape}")
    check_finite(name, table)
    return table


def symmetric(name: str, value: Any, size: int) -> np.ndarray:
    """A symmetric matrix, its rounding averaged away.

    Raises:
        ValueError: not symmetric within the square root of the input's rounding unit.
    """
    table = matrix(name, value, (size, size))
    skew = np.abs(table - table.T)
    if skew.max() > np.sqrt(np.finfo(table.dtype).eps) * np.abs(table).max():
        i, j = np.unravel_index(skew.argmax(), skew.shape)
        raise ValueError(
            f"{name}[{i}, {j}] is {table[i, j]:.6g} but [{j}, {i}] is {table[j, i]:.6g}: expected symmetric"
        )
    return (table + table.T).astype(np.float64) / 2


def semidefinite(name: str, value: Any, size: int, instead: str = "") -> np.ndarray:
    """A positive semi-definite matrix; negative eigenvalues that are rounding become 0.

    Args:
        name: of the argument.
        value: the matrix.
        size: its number of rows.
        instead: what to use instead, added to the error.

    Raises:
        ValueError: not symmetric, or a negative eigenvalue beyond the input's rounding.
    """
    given = as_array(name, value)
    table = symmetric(name, given, size)
    deviation = np.sqrt(np.maximum(table.diagonal(), 0.0))
    shrink = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    # The correlations' eigenvalues say it without units; an axis without variance may have no covariance either.
    values, vectors = np.linalg.eigh(shrink[:, None] * table * shrink)
    slack = 100 * size * np.finfo(given.dtype).eps
    explained = np.abs(table) <= (1 + slack) * deviation[:, None] * deviation
    if not explained.all() or values[0] < -slack:
        least = np.linalg.eigvalsh(table)[0]
        raise ValueError(
            f"{name}: expected positive semi-definite, got smallest eigenvalue {least:.6g} in {table.tolist()}{instead}"
        )
    if values[0] >= 0:
        return table
    nearest = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return deviation[:, None] * ((nearest + nearest.T) / 2) * deviation
