"""What Q is pulled to, as pure functions; reward units."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, log_softmax, logsumexp

__all__ = ["boltzmann", "table_rate", "soft_maximum"]

SPREAD = 4.0  # lifetimes during which the rate stays near 1


def soft_maximum(q: Float[Tensor, "*b A"], log_prior: Tensor, temperature: float) -> Float[Tensor, "*b"]:
    """V(s) = α log Σ_a π0(a|s) exp(Q(s,a)/α), measured from the largest Q, so that α may be as small as it likes.

    As α → 0 it becomes max_a Q(s,a) over the actions that π0 allows: its distance from there is at most
    α max(log A, |log π0|), and no digit of Q is lost by dividing it by α.

    Args:
        q: reward units; the action axis is reduced.
        log_prior: log π0, nats, broadcasts against q; −∞ rules an action out.
        temperature: α, reward units per nat.

    References:
        Levine (2018), arXiv 1805.00909, eq. 15; Haarnoja et al. (2017), arXiv 1702.08165, eq. 3.
    """
    top = _top(q, log_prior)
    return top[..., 0] + temperature * logsumexp((q - top) / temperature + log_prior, -1)


def boltzmann(q: Float[Tensor, "*b A"], log_prior: Tensor, temperature: float) -> Float[Tensor, "*b A"]:
    """Log π(a|s), π ∝ π0 exp(Q/α), measured from the largest Q likewise; nats."""
    return log_softmax((q - _top(q, log_prior)) / temperature + log_prior, -1)


def _top(q: Tensor, log_prior: Tensor) -> Tensor:
    return q.masked_fill(log_prior.isneginf(), -math.inf).amax(-1, keepdim=True)


def table_rate(updates: Tensor, lifetime: float) -> Tensor:
    """β_n = h / (h + n), with h = 4 lifetimes, for the n-th update of each pair of a table.

    Σ β diverges and Σ β² does not, so that Q converges (Watkins and Dayan 1992). A rate 1/n would need n^(1−γ) to
    become large before the start is forgotten; with this one the start's share falls like (1 + n/h)^(−4), and
    the variance is 16/7 of what averaging all n samples at the fixed point would leave.

    Args:
        updates: n, made so far.
        lifetime: 1/(1−γ), or the most decisions an episode can have.

    References:
        Wainwright (2019), arXiv 1905.06265, on rates 1/(1 + (1−γ) n).
    """
    return SPREAD * lifetime / (SPREAD * lifetime + updates.double())  # of whole numbers torch makes single precision
