"""One soft backup in NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ppl_control.trajectory.tables import Tables

__all__ = ["Backed", "Backup"]

ROUNDING = 1e-12  # of a row's sum


class Backed(NamedTuple):
    """V, and what a backup makes of it, nats; actions come first.

    Attributes:
        value: V [s].
        q: E[r + V'] [a, s].
        policy: π0 exp(Q − T V) [a, s].
        residual: T V − V [s]; 0 in terminal states.
    """

    value: Float[np.ndarray, " S"]
    q: Float[np.ndarray, "A S"]
    policy: Float[np.ndarray, "A S"]
    residual: Float[np.ndarray, " S"]

    @property
    def improved(self) -> Float[np.ndarray, " S"]:
        """T V."""
        return self.value + self.residual

    def centred(self, discount: float, closed: bool) -> Backed:
        """V shifted by the constant that makes the residual's largest and smallest entries opposite numbers.

        Only where nothing ends by itself (``closed``): there T(V + c) = T V + γ c.
        """
        if not closed:
            return self
        middle = (self.residual.max() + self.residual.min()) / 2
        with np.errstate(over="ignore"):
            shift = middle / (1 - discount)
        return Backed(self.value + shift, self.q + discount * shift, self.policy, self.residual - middle)


class Backup:
    """T and what it needs, float64.

    Attributes:
        ahead: γ P(s' | s, a) over surviving states, rows a·S + s.
        paid: E[r]/α [a, s].
        prior: log π0 [a, s].
        terminal: [s].
        closed: whether no trajectory ends but by the discount, whose rows sum to it (those of single precision do not).
        kept: the largest probability to go on, γ but for rounding.
    """

    def __init__(self, tables: Tables) -> None:
        self.ahead = tables.links[0].astype(np.float64, copy=False)
        self.paid = np.ascontiguousarray(tables.expected_reward.detach().double().cpu().numpy().T)
        self.prior = np.ascontiguousarray(tables.log_prior.double().cpu().numpy().T)
        self.terminal = tables.terminal.cpu().numpy()
        goes_on = np.asarray(self.ahead.sum(1)).reshape(self.paid.shape)[:, ~self.terminal]
        self.kept = float(goes_on.max(initial=0.0))
        exits = self.terminal.any() or tables.sparse.done.any()
        self.closed = not exits and bool((abs(goes_on - tables.discount) <= ROUNDING).all())

    def __call__(self, value: Float[np.ndarray, " S"]) -> Backed:
        """T V and the policy of V; not finite where numbers leave the range."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._backed(value)

    def _backed(self, value: np.ndarray) -> Backed:
        q = (self.ahead @ value).reshape(self.paid.shape)
        q += self.paid
        policy = q + self.prior
        top = policy.max(0)
        policy -= top
        np.exp(policy, out=policy)
        total = policy.sum(0)
        policy /= total
        residual = np.log(total)
        residual += top
        residual -= value
        residual[self.terminal] = 0.0
        return Backed(value, q, policy, residual)
