"""P(s' | s) under a policy, from P(s' | s, a), as fast as its entries can be added."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array

__all__ = ["Mixing"]


class Mixing:
    """Where the entries of Σ_a π(a|s) P(s'|s,a) lie, found once, and the sparse matrix that makes their values of π.

    Args:
        ahead: P(s' | s, a) with rows a·S + s, sorted, each place once.
        num_actions: A.
    """

    def __init__(self, ahead: Any, num_actions: int) -> None:
        n = ahead.shape[1]
        rows = np.repeat(np.arange(len(ahead.indptr) - 1, dtype=np.int32), np.diff(ahead.indptr))
        counts = np.diff(ahead.indptr).reshape(num_actions, n)
        # Entries by state; then, within a state, by successor: those of different actions come to lie side by side.
        order = np.argsort(rows % n, kind="stable")
        starts = np.concatenate([[0], counts.sum(0).cumsum()]).astype(ahead.indptr.dtype)
        index = ahead.indices.dtype.type
        entries = csr_array((order.astype(index), ahead.indices[order], starts), shape=(n, n))
        del order
        entries.sort_indices()
        place: Any = entries.data
        first = np.ones(len(place), bool)
        first[1:] = entries.indices[1:] != entries.indices[:-1]
        first[starts[:-1][starts[:-1] < len(first)]] = True
        begins = np.append(np.flatnonzero(first), len(first)).astype(ahead.indptr.dtype)
        self._indices = entries.indices[first]
        self._indptr = np.concatenate([[0], first.cumsum()])[starts].astype(ahead.indptr.dtype)
        self._weigh = csr_array(
            (ahead.data[place].astype(np.float64), rows[place], begins),
            shape=(len(begins) - 1, len(ahead.indptr) - 1),
        )

    @property
    def entries(self) -> int:
        """Number of entries of the chains."""
        return len(self._indices)

    def chain(self, policy: Float[np.ndarray, "A S"]) -> csr_array:
        """P(s' | s) under π, index order [a, s]."""
        n = len(self._indptr) - 1
        return csr_array((self._weigh @ policy.reshape(-1), self._indices, self._indptr), shape=(n, n))
