"""Which way to go from V to a better one."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, bicgstab

from ppl_control.inference.exact.stationary.backup import Backed, Backup
from ppl_control.inference.exact.stationary.chains import SMALL, Chain
from ppl_control.trajectory.tables import Tables

__all__ = ["Moves"]

TRIAL = 8  # sweeps over which their rate is measured
WORTH = 60  # sweeps still to come from which on it pays to prepare chains
INNER = 0.02  # how much of the residual Newton's step in a large model leaves, at first,
LEAST = 1e-10  # and at last
STEPS = 2_000  # of BiCGSTAB within one of Newton's steps, at most
SWEEPS = 100  # of the chain in one step of modified policy iteration
FAINT = 1e-30  # probabilities below are left out of large chains: denormal numbers are slow


class Moves:
    """Chooses the next move, and makes it.

    Small models take Newton's steps by elimination. Large ones begin with sweeps, and go on with them where the bound
    falls fast enough. Else Newton's steps follow: far from the solution they improve the policy while the residual
    rises and says little, so they are not judged by it one by one, but may take as much work as modified policy
    iteration would take at its guaranteed rate, γ (or 1 − 1/w) a sweep of the chain. If that was not enough, modified
    policy iteration goes on from the best V.

    Args:
        tables: the model.
        backup: its T.
        life: w, see ``soft_fixed_point``.

    Attributes:
        exact: policies are evaluated by elimination.
        gain: a step whose bound is not below this share of the best so far gained nothing,
        patience: and so many of them in a row, near the limits of rounding, are the end.
    """

    def __init__(self, tables: Tables, backup: Backup, life: float) -> None:
        self._tables, self._backup, self._life = tables, backup, life
        self.exact = tables.num_states <= SMALL
        # Elimination doubles the digits with each step until none are left; BiCGSTAB's steps gain less.
        self.gain, self.patience = (0.5, 1) if self.exact else (0.99, 6)
        self._bounds: list[float] = []  # of the sweeps
        self._kind = "sweep"
        self._budget = math.inf  # operations left for Newton's steps
        self._inner = INNER

    def __call__(self, here: Backed, best: Backed, bound: float, target: float) -> np.ndarray:
        """The next V.

        Args:
            here: the last backup, its V not shifted: of a policy's own V the residual is nowhere negative.
            best: the one with the lowest bound.
            bound: what the last one certifies, nats.
            target: the bound that is wanted, nats.
        """
        if self.exact:
            return self._by_elimination(here)
        if self._kind == "sweep" and not self._sweeps_do(bound, target):
            self._kind = "newton"
        if self._kind == "newton" and -here.residual.min() > here.residual.max():
            self._inner = max(self._inner / 10, LEAST)  # no policy's own: its system was solved too roughly
        if self._kind == "newton" and (self._budget <= 0 or not math.isfinite(bound)):
            self._kind, here = "modified", best
        if self._kind == "sweep":
            return here.improved
        return self._newton(here) if self._kind == "newton" else self._modified(here)

    def _sweeps_do(self, bound: float, target: float) -> bool:
        """Whether sweeps alone will soon be there; if not, what Newton's steps may cost is set."""
        self._bounds.append(bound)
        if len(self._bounds) <= TRIAL:
            return True
        gained = math.log(self._bounds[-1 - TRIAL] / bound) / TRIAL
        left = math.log(bound / target) / gained if gained > 0 else math.inf
        if left < WORTH:
            return True
        self._budget = math.log(bound / target) * self._life * self._tables.mixing.entries
        return False

    def _chain(self, here: Backed) -> Chain:
        return Chain(self._tables.mixing.chain(np.where(here.policy < FAINT, 0.0, here.policy)))

    def _newton(self, here: Backed) -> np.ndarray:
        """V + (I − M)⁻¹ (T V − V), roughly."""
        matrix: Any = self._chain(here).matrix
        scale, count = abs(here.residual).max(), [0]
        once = 1 / (1 - matrix.diagonal())  # what waits in a state is summed at once

        def less(x: np.ndarray) -> np.ndarray:
            count[0] += 1
            return x - matrix @ x

        shape: Any = {"shape": matrix.shape, "dtype": float}
        operator: Any = LinearOperator(matvec=less, **shape)  # type: ignore[call-arg]
        waiting: Any = LinearOperator(matvec=lambda x: once * x, **shape)  # type: ignore[call-arg]
        with np.errstate(all="ignore"):  # a breakdown shows in the next bound
            step, _ = bicgstab(operator, here.residual / scale, rtol=self._inner, atol=0.0, maxiter=STEPS, M=waiting)
        self._budget -= count[0] * matrix.nnz + 2 * len(self._backup.ahead.data)
        return here.value + scale * step

    def _modified(self, here: Backed) -> np.ndarray:
        """T V, then sweeps of its policy's chain: V ← r_π + M V."""
        matrix, value = self._chain(here).matrix, here.improved
        paid = value - matrix @ here.value
        for _ in range(SWEEPS):
            value = matrix @ value
            value += paid
        return value

    def _by_elimination(self, here: Backed) -> np.ndarray:
        matrix = np.einsum("as,asx->sx", here.policy, self._whole)
        return here.value + Chain(matrix).values(torch.from_numpy(here.residual), "the soft value").numpy()

    @cached_property
    def _whole(self) -> np.ndarray:
        ahead = self._backup.ahead
        whole = ahead if isinstance(ahead, np.ndarray) else ahead.toarray()
        return whole.reshape(*self._backup.paid.shape, -1)
