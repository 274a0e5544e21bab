"""Tables over (s, a, s') in coordinates, from dense arrays, torch's sparse tensors and SciPy's sparse matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ppl_control.mdp.validation import as_array

__all__ = ["Coordinates", "coordinates", "is_sparse", "looked_up"]


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The entries of a table over (s, a, s') that are written down, [E]; each place once."""

    state: np.ndarray
    action: np.ndarray
    next_state: np.ndarray
    values: np.ndarray
    num_states: int
    num_actions: int

    @property
    def places(self) -> np.ndarray:
        """(s, a, s') of each entry, [3, E]."""
        return np.stack([self.state, self.action, self.next_state])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(S, A, S)."""
        return self.num_states, self.num_actions, self.num_states

    @property
    def keys(self) -> np.ndarray:
        """One number for each place."""
        row = self.state.astype(np.int64) * self.num_actions + self.action
        return row * self.num_states + self.next_state


def is_sparse(table: Any) -> bool:
    """Whether a table is a sparse tensor, a SciPy matrix, or one SciPy matrix for each action."""
    if isinstance(table, torch.Tensor):
        return table.layout != torch.strided
    return sparse.issparse(table) or _by_action(table)


def _by_action(table: Any) -> bool:
    return isinstance(table, Sequence) and len(table) > 0 and all(sparse.issparse(matrix) for matrix in table)


def coordinates(name: str, table: Any) -> Coordinates:
    """The entries of a table.

    Args:
        name: what errors call it.
        table: shape [S, A, S], dense or torch's sparse; or SciPy's sparse of shape [S·A, S] with rows s·A + a; or
            A of SciPy's sparse matrices of shape [S, S], one an action.

    Raises:
        ValueError: another shape, or what is no table of numbers.
    """
    if sparse.issparse(table) or _by_action(table):
        return _from_scipy(name, table)
    if isinstance(table, torch.Tensor) and table.layout != torch.strided:
        coo = table.detach().to_sparse_coo()
        coo = coo if coo.is_coalesced() else coo.coalesce()
        values = as_array(name, coo.values())
        index, shape = tuple(coo.indices().cpu().numpy()), tuple(coo.shape)
    else:
        dense = as_array(name, table)
        shape = dense.shape
        index = dense.nonzero() if dense.size else tuple(np.zeros((len(shape), 0), dtype=int))
        values = dense[index]
    if len(shape) != 3 or shape[0] != shape[2] or 0 in shape or values.ndim != 1:
        raise ValueError(f"{name}: expected shape [S, A, S], got {list(shape)}")
    state, action, next_state = index
    return Coordinates(state, action, next_state, values, shape[0], shape[1])


def _from_scipy(name: str, table: Any) -> Coordinates:
    forms = "[S·A, S] with rows s·A + a, or A matrices [S, S]"
    if not sparse.issparse(table):
        n, num_actions = table[0].shape[-1], len(table)
        for a, matrix in enumerate(table):
            if matrix.shape != (n, n) or n == 0:
                raise ValueError(f"{name}[{a}]: expected {forms}, got {list(matrix.shape)}")
        table = _canonical(
            name, sparse.vstack([_canonical(f"{name}[{a}]", m) for a, m in enumerate(table)], format="csr")
        )
        action, state = _divided(table, n)
    else:
        if table.ndim != 2 or 0 in table.shape or table.shape[0] % table.shape[1]:
            raise ValueError(f"{name}: expected {forms}, got {list(table.shape)}")
        n, num_actions = table.shape[1], table.shape[0] // table.shape[1]
        table = _canonical(name, table)
        state, action = _divided(table, num_actions)
    return Coordinates(state, action, table.indices, as_array(name, table.data), n, num_actions)


def _canonical(name: str, matrix: Any) -> Any:
    """In rows, in order, each place once; what was given stays as it is.

    Raises:
        ValueError: indices that lead out of the matrix.
    """
    table = sparse.csr_array(matrix)
    try:
        table.check_format(full_check=True)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{name}: the matrix is damaged: {error}") from error
    if not table.has_canonical_format:
        table = table.copy()
        table.sum_duplicates()
    return table


def _divided(table: Any, by: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of all entries, divided: quotients and remainders."""
    index = table.indices.dtype
    quotient, remainder = np.divmod(np.arange(table.shape[0], dtype=index), index.type(by))
    counts = np.diff(table.indptr)
    return quotient.repeat(counts), remainder.repeat(counts)


def looked_up(table: Coordinates, wanted: Coordinates) -> np.ndarray:
    """The table's values at the places that another one writes down; 0 where the table writes nothing."""
    keys, asked = table.keys, wanted.keys
    if len(keys) == len(asked) and (keys == asked).all():
        return table.values
    order = np.argsort(keys)
    place = np.searchsorted(keys, asked, sorter=order).clip(max=max(len(keys) - 1, 0))
    if not len(keys):
        return np.zeros(len(asked))
    found = order[place]
    return np.where(keys[found] == asked, table.values[found], 0.0)
