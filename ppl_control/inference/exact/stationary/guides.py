"""What a stationary guide expects, and where it goes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import breadth_first_order
from torch import Tensor

from ppl_control.inference.exact.recursions import choice_terms, guide_q
from ppl_control.inference.exact.stationary.chains import Chain, guide_chain
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["stationary_values", "visits"]

LEAST = 1e-12  # probability of an end that is told from the rounding of a row's sum


def stationary_values(tables: Tables, guide: GuideTables) -> tuple[Float[Tensor, " S"], Float[Tensor, "S A"]]:
    """ELBO to go V(s) and Q(s, a) of a stationary guide, nats, by one linear solve.

    Raises:
        ValueError: trajectories may never end under the guide.
    """
    now = guide_q(tables, guide, tables.initial.new_zeros(tables.num_states))
    gain = weighted(guide.policy.exp(), now).sum(-1) + choice_terms(tables, guide)
    value = guide_chain(tables, guide).values(gain, "the bound").masked_fill(tables.terminal, 0.0)
    return value, guide_q(tables, guide, value)


def visits(tables: Tables, guide: GuideTables) -> Float[Tensor, " S"]:
    """Expected number of decisions in each state (discounted where there is a discount).

    Raises:
        ValueError: trajectories may never end under the guide.
    """
    initial = (tables.initial if guide.initial is None else guide.initial.exp())[:-1]
    chain = guide_chain(tables, guide)
    if tables.discount == 1:  # what is never reached may well never end: it is left out
        live, leaves = _reached(chain.matrix, initial.detach().double().cpu().numpy() > 0), _leaves(chain.matrix)
        if not leaves.any() or (live & ~_reached(chain.matrix.T, leaves)).any():
            raise ValueError("horizon: trajectories may never end under this policy; give a horizon or a discount < 1")
        chain = Chain(_rows_of(chain.matrix, live.astype(float)))
    return chain.mass(initial, "the number of visits")


def _rows_of(matrix: Any, weight: np.ndarray) -> Any:
    if isinstance(matrix, np.ndarray):
        return weight[:, None] * matrix
    return csr_array((matrix.data * weight.repeat(np.diff(matrix.indptr)), matrix.indices, matrix.indptr), matrix.shape)


def _leaves(matrix: Any) -> Bool[np.ndarray, " S"]:
    """Whether the chain may end in each state."""
    return np.asarray(matrix.sum(1)).ravel() < 1 - LEAST


def _reached(matrix: Any, start: Bool[np.ndarray, " S"]) -> Bool[np.ndarray, " S"]:
    """Whether each state is ever come to; a node before all others stands for the start."""
    n = len(start)
    graph: Any = vstack([csr_array(matrix), csr_array(start[None].astype(float))], format="csr")
    graph.resize(n + 1, n + 1)
    reached = np.zeros(n + 1, bool)
    reached[breadth_first_order(graph, n, return_predecessors=False)] = True
    return reached[:-1]
