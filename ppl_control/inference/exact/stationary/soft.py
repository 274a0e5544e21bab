"""The fixed point of the soft backup, V = log Σ_a π0 exp(E[r + V']), with a certificate.

Three moves lead there. A sweep puts T V for V. Newton's method on V = T V is soft policy iteration: it evaluates the
policy of V, by elimination in small models and by some steps of BiCGSTAB in large ones. Modified policy iteration
evaluates it by plain sweeps of the chain, which need no exponentials. After each move the residual T V − V is known,
and with it a bound on the error. Which move comes next is decided by counting operations, not seconds, so that the same
call gives the same digits.

References:
    Puterman (1994), sections 6.3-6.6 and 8.5.1 (span bounds, modified policy iteration, policy iteration as Newton's
    method); Rust (1987) (Newton's method on soft values); van der Vorst (1992) (BiCGSTAB).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.stationary.backup import Backed, Backup
from ppl_control.inference.exact.stationary.chains import EPSILON
from ppl_control.inference.exact.stationary.life import longest_life
from ppl_control.inference.exact.stationary.moves import Moves
from ppl_control.trajectory.tables import Tables

__all__ = ["FixedPoint", "SoftSearch", "soft_fixed_point"]

MOVES = 100_000  # before a fixed point is given up
NEAR = 1e-9  # relative residual below which a lack of progress is rounding


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Where T V = V, nearly.

    Attributes:
        value: V [s], nats.
        q: Q [s, a] = E[r + V'], nats.
        bound: the largest error of V, nats, certified by the residual.
    """

    value: Float[Tensor, " S"]
    q: Float[Tensor, "S A"]
    bound: float


class SoftSearch:
    """The way to the fixed point of the variational backup, move by move.

    With residual ε = max |T V − V| the error is at most ε · w(s), where w bounds the expected number of decisions left
    under any policy: T is monotone and T(V + ε w) ≤ T V + ε (w − 1). A discount gives w = 1/(1−γ); without one w is
    ``longest_life``. Where no trajectory ends by itself, V is first shifted by what halves the span of T V − V: a
    constant c changes T V − V by −(1−γ) c. Where some do, the end's 0 is among the values, and a shift would spoil it.

    Args:
        tables: the model.
        tolerance: the bound to be reached, nats; inf: what rounding allows.
        start: V to begin with, nats: that of another temperature, discount or reward, say. None: 0.

    Attributes:
        number: moves that were made.
        bound: the lowest bound on the error so far, nats.

    Raises:
        ValueError: no discount, and some policy never ends.
    """

    def __init__(self, tables: Tables, tolerance: float = math.inf, start: Float[Tensor, " S"] | None = None) -> None:
        self._like, self._temperature, tables = tables.initial, tables.temperature, tables.double()
        self._tables, self._backup, self._tolerance = tables, Backup(tables), tolerance
        if tables.discount < 1:
            self._life = 1 / (1 - max(tables.discount, self._backup.kept))
        else:
            self._life = float(longest_life(tables).max())
        if not math.isfinite(self._life):
            raise ValueError(
                "discount: without a horizon it must be < 1 here, since some policy never ends; "
                f"got discount={tables.discount}, horizon=None"
            )
        # No V is larger: a decision pays at most the largest reward and what the choice among all actions is worth.
        worth = abs(self._backup.prior[np.isfinite(self._backup.prior)]).max(initial=0.0) + math.log(tables.num_actions)
        self._most = 1 + self._life * float(abs(self._backup.paid).max(initial=0.0) + worth)
        self._moves = Moves(tables, self._backup, self._life)
        # In small models the last digits cost nothing; the hundredth is for the rounding of a last look.
        self._enough = 0.0 if self._moves.exact or math.isinf(tolerance) else 0.99 * tolerance
        self._value = np.zeros(tables.num_states) if start is None else start.detach().double().cpu().numpy().copy()
        self._value[self._backup.terminal] = 0.0
        self._best: Backed | None = None
        self.number, self.bound, self._idle, self._over = 0, math.inf, 0, False

    def step(self) -> dict[str, float]:
        """Look at V, and make a move where it is not good enough; the bound in reward units."""
        found = self._backup(self._value)
        here = found.centred(self._tables.discount, self._backup.closed)
        self.number += 1
        size = 1 + max(abs(found.value).max(), abs(here.value).max())  # a shift rounds as well
        bound, least = self._bound(here, size), 16 * EPSILON * min(size, self._most)
        self._idle = self._idle + 1 if bound > self._moves.gain * self.bound else 0
        if self._best is None or bound < self.bound:
            self._best, self.bound = here, bound
        spent = self._idle >= self._moves.patience and self.bound < self._allowed  # what is left is rounding
        lost = not math.isfinite(self.bound) or self.number >= MOVES
        self._over = self.bound <= self._enough or bound <= 2 * least * self._life or spent or lost
        if not self._over:
            self._value = self._moves(found, self._best, bound, max(self._enough, least * self._life))
        return {"bound": self.bound * self._temperature}

    @property
    def _allowed(self) -> float:
        """The bound up to which a search without a tolerance may end, nats."""
        assert self._best is not None
        return NEAR * self._life * min(1 + float(abs(self._best.value).max()), self._most)

    def finished(self) -> bool:
        """Whether no further move is wanted."""
        return self._over

    def state_dict(self) -> dict[str, Any]:
        """The search as plain data."""
        best = self._value if self._best is None else self._best.value
        return {
            "number": self.number,
            "over": self._over,
            "idle": self._idle,
            "bound": self.bound if math.isfinite(self.bound) else None,
            "value": torch.from_numpy(self._value.copy()),
            "best": torch.from_numpy(best.copy()),
            "moves": self._moves.state_dict(),
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Go on where another search of the same model was.

        Raises:
            ValueError: what no search can have stored.
        """
        bound = kept["bound"]
        if not (bound is None or (isinstance(bound, float) and bound >= 0)) or kept["idle"] < 0:
            raise ValueError(f"state: expected a bound >= 0 and a number of idle steps, got {bound} and {kept['idle']}")
        self._moves.load_state_dict(kept["moves"])
        self.number, self._over, self._idle = kept["number"], kept["over"], kept["idle"]
        self._value = kept["value"].numpy().copy()
        if bound is not None:
            self.bound, self._best = bound, self._backup(kept["best"].numpy().copy())

    def _bound(self, here: Backed, size: float) -> float:
        """What the residual certifies; it is known up to the rounding of numbers as large as ``size``."""
        return float((abs(here.residual).max() + 16 * EPSILON * size) * self._life)

    def found(self) -> FixedPoint:
        """The best V so far.

        Raises:
            ValueError: the search is over, and the tolerance was not reached.
        """
        assert self._best is not None
        last = self._backup(self._best.value)  # V itself, as it is given away
        bound, value = self._bound(last, 1 + abs(last.value).max()), last.value
        if not math.isfinite(bound):
            raise ValueError("reward: the values leave the finite numbers")
        if self._like.dtype != torch.float64:
            bound += 2 * torch.finfo(self._like.dtype).eps * float(abs(value).max())  # the answer's own rounding
        lost = self.bound > self._allowed if math.isinf(self._tolerance) else bound > self._tolerance
        if self._over and lost:
            asked = (self._allowed if math.isinf(self._tolerance) else self._tolerance) * self._temperature
            reached = bound * self._temperature
            raise ValueError(f"tolerance: the fixed point was reached to {reached:.1e} only, expected {asked:.1e}")
        rows = np.ascontiguousarray(last.q.T)
        return FixedPoint(torch.from_numpy(value).to(self._like), torch.from_numpy(rows).to(self._like), bound)


def soft_fixed_point(
    tables: Tables, tolerance: float = math.inf, start: Float[Tensor, " S"] | None = None
) -> FixedPoint:
    """Fixed point of the variational backup: a ``SoftSearch`` to its end.

    Raises:
        ValueError: no discount, and some policy never ends; or a tolerance that rounding does not allow.
    """
    search = SoftSearch(tables, tolerance, start)
    while not search.finished():
        search.step()
    return search.found()
