"""Products of non-negative matrices over time as an associative scan, in log space.

The numbers may lie further apart than floating-point exponents reach. Matrices and vectors are therefore kept as
logarithms in units of their largest entry, with that unit apart; a product is a matrix product of exponentials where
nothing is lost by it, and a log-sum-exp in the entries where something would be.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Scaled", "backward_scan", "log_product", "scaled"]

GATHERED = 2**24  # entries of a log-sum-exp to hold at once


class Scaled(NamedTuple):
    """Logarithms of non-negative numbers, log x = values + unit, the largest value of each matrix or vector being 0.

    Attributes:
        values: −inf where x is 0.
        unit: one for each matrix or vector.
    """

    values: Tensor
    unit: Tensor


def scaled(logs: Float[Tensor, "*b n m"], unit: Float[Tensor, "*b"] | float = 0.0) -> Scaled:
    """Logarithms in units of the largest of each matrix, on top of a unit they have already."""
    top = logs.amax((-2, -1))
    return Scaled(logs - top[..., None, None], top + unit)


def log_product(left: Float[Tensor, "*b n k"], right: Float[Tensor, "*b k m"]) -> Float[Tensor, "*b n m"]:
    """Log Σ_k exp(left + right), as accurate as a log-sum-exp of every entry.

    Exponentials are taken in units of the largest of each row of ``left`` and column of ``right``. Where the largest
    of both do not meet, a sum of what is left may underflow: such entries are computed again from their logarithms.
    """
    rows, columns = _finite(left.amax(-1, keepdim=True)), _finite(right.amax(-2, keepdim=True))
    total = (left - rows).exp() @ (right - columns).exp()
    found = total.log() + rows + columns
    info = torch.finfo(total.dtype)
    faint = total < left.shape[-1] * info.tiny / info.eps  # what underflowed may count beside so little
    if bool(faint.any()):
        met = (left > -torch.inf).float() @ (right > -torch.inf).float() > 0.5  # else the sum has no terms
        places = (faint & met).nonzero()
        for chunk in places.split(max(1, GATHERED // left.shape[-1])):
            *batch, row, column = chunk.unbind(-1)
            terms = left[(*batch, row)] + right.mT[(*batch, column)]
            found[(*batch, row, column)] = torch.logsumexp(terms, -1)
    return found


def backward_scan(step: Scaled, last: Float[Tensor, " n"], horizon: int) -> Scaled:
    """x_t = M_t x_{t+1} for every t from x_T on, in ⌈log₂ T⌉ products of matrices one after another.

    One matrix for all times is squared again and again, M^(2^k) carrying 2^k vectors at once: O(n³ log T + n² T).
    Else neighbours are multiplied, the sequence of half the length is solved, and what lies between follows in one
    step: O(n³ T).

    Args:
        step: log M, shape [n, n] with one unit, or [T, n, n] with T units.
        last: log x_T.
        horizon: T.

    Returns:
        log x_t, [t, n] with a unit for each t, shape [T+1, n] and [T+1].

    References:
        Blelloch (1990), Prefix sums and their applications; Särkkä and García-Fernández (2021), on
        message passing as an associative scan.
    """
    end = scaled(last[:, None])
    if step.values.ndim == 2:
        return _squaring(step, end, horizon)
    values, unit = _halving(step, Scaled(end.values[:, 0], end.unit))
    return Scaled(values, unit)


def _squaring(power: Scaled, end: Scaled, horizon: int) -> Scaled:
    columns, unit = end.values, end.unit[None]  # the j-th column is x_{T−j}
    while len(unit) <= horizon:
        more = min(len(unit), horizon + 1 - len(unit))
        moved = log_product(power.values, columns[:, :more])
        top = moved.amax(0)
        columns = torch.cat([columns, moved - top], 1)
        unit = torch.cat([unit, unit[:more] + power.unit + top])
        if len(unit) <= horizon:
            power = scaled(log_product(power.values, power.values), 2 * power.unit)
    return Scaled(columns.T.flip(0), unit.flip(0))


def _halving(step: Scaled, end: Scaled) -> Scaled:
    """x_t of all t for a vector x_T: [T+1, n], [T+1]."""
    horizon = len(step.unit)
    if horizon == 0:
        return Scaled(end.values[None], end.unit[None])
    if horizon % 2:  # the last step is made first, so that the others pair
        first = _carried(Scaled(step.values[-1:], step.unit[-1:]), Scaled(end.values[None], end.unit[None]))
        before = _halving(Scaled(step.values[:-1], step.unit[:-1]), Scaled(first.values[0], first.unit[0]))
        return Scaled(torch.cat([before.values, end.values[None]]), torch.cat([before.unit, end.unit[None]]))
    early, late = (Scaled(step.values[i::2], step.unit[i::2]) for i in (0, 1))
    pairs = scaled(log_product(early.values, late.values), early.unit + late.unit)
    even = _halving(pairs, end)
    odd = _carried(late, Scaled(even.values[1:], even.unit[1:]))
    values = even.values.new_empty(horizon + 1, even.values.shape[-1])
    unit = even.unit.new_empty(horizon + 1)
    values[::2], values[1::2], unit[::2], unit[1::2] = even.values, odd.values, even.unit, odd.unit
    return Scaled(values, unit)


def _carried(step: Scaled, ahead: Scaled) -> Scaled:
    """One step for many times at once: [N, n, n] and [N, n]."""
    moved = torch.logsumexp(step.values + ahead.values[:, None, :], -1)
    top = moved.amax(-1)
    return Scaled(moved - top[:, None], step.unit + ahead.unit + top)


def _finite(top: Tensor) -> Tensor:
    return torch.where(top > -torch.inf, top, 0.0)
