"""Whether trajectories end, whatever anybody does."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from scipy.sparse import csr_array

from ppl_control.mdp.sparse import SparseOutcomes

__all__ = ["surely_ends"]


def surely_ends(outcomes: SparseOutcomes, terminal: Bool[np.ndarray, " S"]) -> bool:
    """Whether no policy can keep out of the end for ever.

    A state is lost to such a policy once each of its actions may end the trajectory or lead to a state that is lost;
    what is never lost is the greatest set in which some action keeps all its outcomes. Every outcome is looked at once.
    """
    n, a = outcomes.num_states, outcomes.num_actions
    rows = outcomes.rows
    entry = csr_array(
        (np.ones(len(rows), bool), outcomes.next_state, outcomes.starts), shape=(len(outcomes.starts) - 1, n)
    )
    into = entry.tocsc()  # column s': the rows that may lead there
    leaky = np.zeros(n * a, bool)
    leaky[rows[outcomes.done]] = True
    lost, kept = terminal.copy(), a - leaky.reshape(n, a).sum(1)
    fresh = np.flatnonzero(terminal | (kept == 0))
    lost[fresh] = True
    while fresh.size:
        sources = np.concatenate([into.indices[into.indptr[s] : into.indptr[s + 1]] for s in fresh])
        sources = np.unique(sources)
        sources = sources[~leaky[sources]]
        leaky[sources] = True
        touched, count = np.unique(sources // a, return_counts=True)
        kept[touched] -= count
        fresh = touched[(kept[touched] == 0) & ~lost[touched]]
        lost[fresh] = True
    return bool(lost.all())
