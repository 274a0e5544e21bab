"""Markov chains of states that go on, and the linear systems x = source + M x they make."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import LinearOperator, bicgstab, splu
from torch import Tensor

from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = [
    "ELIMINATED",
    "EPSILON",
    "SMALL",
    "Chain",
    "eliminated",
    "guide_chain",
    "joint_chain",
    "policy_chain",
    "remainder",
]

SMALL = 500  # states, up to which matrices are kept whole and systems are solved by elimination
EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 64 * EPSILON  # relative residual of a system solved as well as its numbers allow
STEPS = 500  # of BiCGSTAB, before its residual is computed anew
GAIN = 100  # what they must divide the residual by, or others are tried
ELIMINATED = 200_000  # states, up to which that is elimination: its fill-in takes memory


class Chain:
    """M = q(s' | s) over surviving states, and what comes of summing over its powers.

    Args:
        matrix: M [s, s'], float64; rows sum to 1 less the probability of the end.
    """

    def __init__(self, matrix: np.ndarray | csr_array) -> None:
        self.matrix = matrix

    def values(self, source: Float[Tensor, "S *more"], what: str = "the value") -> Float[Tensor, "S *more"]:
        """X = source + M x: what is collected from each state on, where a visit pays ``source``.

        Raises:
            ValueError: there is no finite solution; ``what`` is named.
        """
        return _solved(self.matrix, source, what)

    def mass(self, source: Float[Tensor, "S *more"], what: str = "the mass") -> Float[Tensor, "S *more"]:
        """X = source + Mᵀ x: all mass that comes through each state, where ``source`` enters.

        Raises:
            ValueError: there is no finite solution; ``what`` is named.
        """
        return _solved(self.matrix.T, source, what)


def policy_chain(tables: Tables, policy: Float[Tensor, "S A"]) -> Chain:
    """The chain of a stationary policy, given as probabilities, in the true dynamics."""
    chosen = np.ascontiguousarray(policy.detach().mT.double().cpu().numpy())  # [a, s]
    if tables.dense is not None and tables.num_states <= SMALL:
        return Chain(np.einsum("as,asx->sx", chosen, tables.links[0].reshape(*chosen.shape, -1)))
    matrix = tables.mixing.chain(chosen)
    return Chain(matrix.toarray() if tables.num_states <= SMALL else matrix)


def joint_chain(tables: Tables, joint: Float[Tensor, "S A K"]) -> Chain:
    """The chain of q(a, outcome | s)."""
    n = tables.num_states
    successor = tables.successor.reshape(-1).cpu().numpy()
    weight = joint.detach().double().reshape(-1).cpu().numpy()
    state = np.repeat(np.arange(n), len(successor) // n)
    kept = (successor < n) & (weight != 0)
    matrix = csr_array((weight[kept], (state[kept], successor[kept])), shape=(n, n))
    return Chain(matrix.toarray() if n <= SMALL else matrix)


def guide_chain(tables: Tables, guide: GuideTables) -> Chain:
    """The chain of a stationary guide."""
    if guide.outcomes is None:
        return policy_chain(tables, guide.policy.exp())
    return joint_chain(tables, guide.policy.exp()[..., None] * guide.outcomes.exp())


def _solved(matrix: Any, source: Tensor, what: str) -> Tensor:
    right = source.detach().double().cpu().reshape(len(source), -1)
    if isinstance(matrix, np.ndarray):
        found, info = torch.linalg.solve_ex(torch.eye(len(matrix)).double() - torch.from_numpy(matrix), right)
        found: Tensor | None = None if info.item() else found
    else:
        columns = [_sparsely(matrix, column) for column in right.T.numpy()]
        found = None if any(x is None for x in columns) else torch.from_numpy(np.stack(columns, -1))  # type: ignore[arg-type]
    # A solution this much larger than its source has no digits left; NaN is not trusted either.
    size = right.abs().amax() if right.numel() else right.new_zeros(())
    if found is None or (bool(size > 0) and not bool(found.abs().max() * EPSILON < 1e-4 * size)):
        raise ValueError(
            f"horizon: {what} has no finite value without one: trajectories may never end, or so late that no digits "
            "are left; give a horizon or a discount < 1"
        )
    return found.reshape(source.shape).to(source)


def _sparsely(matrix: Any, source: np.ndarray) -> np.ndarray | None:
    """X = source + M x by BiCGSTAB, refined until only rounding is left; by elimination where that takes too long."""
    found, last = np.zeros_like(source), np.inf
    operator = remainder(matrix)
    while True:
        rest = source - (found - matrix @ found)
        error, size = abs(rest).max(), abs(found).max() + abs(source).max()
        if error <= ROUNDING * size:
            return found
        if not error * GAIN < last:  # NaN neither
            break
        with np.errstate(all="ignore"):  # a breakdown shows in the residual
            step, _ = bicgstab(operator, rest / error, rtol=1e-8, atol=0.0, maxiter=STEPS)
        found, last = found + error * step, error
    if len(source) > ELIMINATED:
        raise ValueError(
            f"horizon: a linear system of {len(source)} states was solved to {error / size:.0e} only, as when "
            "trajectories last very long; give a horizon or a smaller discount"
        )
    return eliminated(matrix, source)


def remainder(matrix: Any) -> Any:
    """I − M as an operator."""
    return LinearOperator(matrix.shape, matvec=lambda x: x - matrix @ x, dtype=float)  # type: ignore[call-arg]


def eliminated(matrix: Any, source: np.ndarray) -> np.ndarray | None:
    """X = source + M x by sparse elimination; None where memory or numbers do not allow it."""
    try:
        found = splu((eye_array(*matrix.shape) - matrix).tocsc()).solve(source)
    except (RuntimeError, MemoryError):  # singular, or filled in
        return None
    return found if np.isfinite(found).all() else None
