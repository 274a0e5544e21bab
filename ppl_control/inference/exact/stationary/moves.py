"""Which way to go from V to a better one."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, bicgstab

from ppl_control.inference.exact.stationary.backup import Backed, Backup
from ppl_control.inference.exact.stationary.chains import ELIMINATED, SMALL, Chain, eliminated, remainder
from ppl_control.trajectory.tables import Tables

__all__ = ["Moves"]

TRIAL = 8  # sweeps over which their rate is measured
WORTH = 60  # sweeps still to come from which on it pays to prepare chains
ROUGH = 0.02  # how much of the residual BiCGSTAB leaves in one of Newton's steps, at most;
SWING = 20.0  # an error in the step is up to life times as large: so much of the residual is let pass
LEAST = 1e-10  # and at least
STEPS = 2_000  # of BiCGSTAB within one of Newton's steps, at most
NEWTONS = 80  # of Newton's steps by BiCGSTAB: by elimination they are about thirty
SWEEPS = 100  # of the chain in one step of modified policy iteration
FAINT = 1e-30  # probabilities below are left out of large chains: denormal numbers are slow
KINDS = ("sweep", "newton", "elimination", "modified")


class Moves:
    """Chooses the next move, and makes it.

    Small models take Newton's steps by elimination. Large ones begin with sweeps, and go on with them where the bound
    falls fast enough. Else Newton's steps follow, each by some steps of BiCGSTAB. Far from the solution they improve
    the policy while the residual rises and says little, so they are not judged by it one by one. Where BiCGSTAB breaks
    down, or the steps are too many, systems are solved by sparse elimination after all; where that takes too much
    memory, modified policy iteration goes on from the best V, which always arrives.

    Args:
        tables: the model.
        backup: its T.
        life: the expected number of decisions left, at most.

    Attributes:
        exact: policies are evaluated by elimination from the start.
        gain: a step whose bound is not below this share of the best so far gained nothing,
        patience: and so many of them in a row, near the limits of rounding, are the end.
    """

    def __init__(self, tables: Tables, backup: Backup, life: float) -> None:
        self._tables, self._backup = tables, backup
        self.exact = tables.num_states <= SMALL
        # Elimination doubles the digits with each step until none are left; BiCGSTAB's steps gain less.
        self.gain, self.patience = (0.5, 1) if self.exact else (0.99, 6)
        self._bounds: list[float] = []  # of the sweeps
        self._kind, self._newtons, self._inner = "sweep", 0, max(min(ROUGH, SWING / life), LEAST)

    def __call__(self, here: Backed, best: Backed, bound: float, target: float) -> np.ndarray:
        """The next V.

        Args:
            here: the last backup, its V not shifted: of a policy's own V the residual is nowhere negative.
            best: the one with the lowest bound.
            bound: what the last one certifies, nats.
            target: the bound that is wanted, nats.
        """
        if self.exact:
            return self._whole_newton(here)
        if self._kind == "sweep":
            if self._sweeps_do(bound, target):
                return here.improved
            self._kind = "newton"
        if not math.isfinite(bound):
            here = best
        if self._kind == "newton":
            if -here.residual.min() > here.residual.max():
                self._inner = max(self._inner / 10, LEAST)  # no policy's own: its system was solved too roughly
            found = self._newton(here) if self._newtons < NEWTONS and math.isfinite(bound) else None
            if found is not None:
                return found
            self._kind, here = "elimination" if len(here.value) <= ELIMINATED else "modified", best
        if self._kind == "elimination":
            found = self._eliminated(here)
            if found is not None:
                return found
            self._kind, here = "modified", best
        return self._modified(here)

    def state_dict(self) -> dict[str, Any]:
        """What the next choice hangs on."""
        kind = KINDS.index(self._kind)
        return {"kind": kind, "newtons": self._newtons, "inner": self._inner, "bounds": list(self._bounds)}

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Go on as the one that was stored.

        Raises:
            ValueError: numbers that none can have.
        """
        fits = 0 <= kept["kind"] < len(KINDS) and kept["newtons"] >= 0 and 0 < kept["inner"] < 1
        if not fits or not all(isinstance(bound, float) and bound > 0 for bound in kept["bounds"]):
            raise ValueError(f"moves: expected a kind of 0 … {len(KINDS) - 1}, steps, a share and bounds, got {kept}")
        self._kind, self._newtons, self._inner = KINDS[kept["kind"]], kept["newtons"], kept["inner"]
        self._bounds = list(kept["bounds"])

    def _sweeps_do(self, bound: float, target: float) -> bool:
        """Whether sweeps alone will soon be there."""
        self._bounds.append(bound)
        if len(self._bounds) <= TRIAL:
            return True
        gained = math.log(self._bounds[-1 - TRIAL] / bound) / TRIAL
        return gained > 0 and math.log(bound / target) / gained < WORTH

    def _chain(self, here: Backed) -> Chain:
        return Chain(self._tables.mixing.chain(np.where(here.policy < FAINT, 0.0, here.policy)))

    def _newton(self, here: Backed) -> np.ndarray | None:
        """V + (I − M)⁻¹ (T V − V), roughly; None where BiCGSTAB does not get there."""
        self._newtons += 1
        matrix: Any = self._chain(here).matrix
        scale = abs(here.residual).max()
        once = 1 / (1 - matrix.diagonal())  # what waits in a state is summed at once
        waiting: Any = LinearOperator(matrix.shape, matvec=lambda x: once * x, dtype=float)  # type: ignore[call-arg]
        right = here.residual / scale
        with np.errstate(all="ignore"):  # a breakdown shows in what is left
            step, _ = bicgstab(remainder(matrix), right, rtol=self._inner, atol=0.0, maxiter=STEPS, M=waiting)
            left = np.linalg.norm(right - (step - matrix @ step))
        return here.value + scale * step if left <= 2 * self._inner * np.linalg.norm(right) else None

    def _eliminated(self, here: Backed) -> np.ndarray | None:
        """The same by sparse elimination; None where memory or numbers do not allow it."""
        step = eliminated(self._chain(here).matrix, here.residual)
        return None if step is None else here.value + step

    def _modified(self, here: Backed) -> np.ndarray:
        """T V, then sweeps of its policy's chain: V ← r_π + M V."""
        matrix, value = self._chain(here).matrix, here.improved
        paid = value - matrix @ here.value
        for _ in range(SWEEPS):
            value = matrix @ value
            value += paid
        return value

    def _whole_newton(self, here: Backed) -> np.ndarray:
        matrix = np.einsum("as,asx->sx", here.policy, self._whole)
        return here.value + Chain(matrix).values(torch.from_numpy(here.residual), "the soft value").numpy()

    @cached_property
    def _whole(self) -> np.ndarray:
        ahead = self._backup.ahead
        whole = ahead if isinstance(ahead, np.ndarray) else ahead.toarray()
        return whole.reshape(*self._backup.paid.shape, -1)
