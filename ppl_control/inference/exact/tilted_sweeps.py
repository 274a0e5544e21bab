"""The posterior backup over a horizon, and the flow of mass through its tilted dynamics, at the speed of NumPy.

exp V is linear under the posterior backup: exp Q = W exp V' with W = p exp r. A step is one product of a sparse matrix,
in units of the largest V', and a step of the flow one of its transpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.trajectory.tables import Tables

__all__ = ["TiltedSweeps", "tilted_sweeps"]

WIDEST = 600.0  # nats between the largest and the smallest that is summed: exp of either is an ordinary number


@dataclass(frozen=True, eq=False)
class TiltedSweeps:
    """The posterior of one reward over a horizon; what the flow forward needs is kept.

    Attributes:
        value: V [t, s], V_T = 0, nats.
    """

    value: Float[Tensor, "T+1 S"]
    _weights: Any  # W, rows a·S + s, the silent end as last column
    _policy: np.ndarray  # π [t, a, s]
    _ahead: np.ndarray  # exp V' in units of the largest, [t, s]
    _sums: np.ndarray  # W exp V' in the same units, [t, a·S + s]

    def flow(self, tables: Tables, on_v: Float[Tensor, "T S"], each: bool) -> Float[Tensor, "S A K1"]:
        """Mass put on values, carried forward by the posterior: Σ_t x q(a, outcome | s).

        Args:
            tables: the model.
            on_v: mass put on each V.
            each: by outcome; else their sum.
        """
        horizon, a, n = self._policy.shape
        place, row, column, _ = tables.outcome_rows
        put = on_v.detach().cpu().numpy()
        total = np.zeros(len(column) if each else a * n, put.dtype)
        back, mass = self._weights.T, put[0].copy()
        for t in range(horizon):
            chosen = (self._policy[t] * mass).reshape(-1)
            share = chosen / self._sums[t]
            total += share[row] * self._ahead[t][column] if each else chosen
            if t + 1 < horizon:
                mass = (self._ahead[t] * (back @ share))[:-1] + put[t + 1]
        if not each:
            return torch.from_numpy(total.reshape(a, n).T[..., None].copy()).to(on_v)
        found = np.zeros(tables.successor.shape, total.dtype)
        found.reshape(-1)[place] = total * self._weights.data
        return torch.from_numpy(found).to(on_v)


def tilted_sweeps(tables: Tables, paid: Float[Tensor, "S A K"]) -> TiltedSweeps | None:
    """V of the posterior backup, from the end of the horizon to its beginning; None where values lie too far apart.

    Args:
        tables: the model; its own rewards are not looked at.
        paid: r/α of every outcome, nats.

    References:
        Todorov (2009); Levine (2018), arXiv 1805.00909, eq. 7.
    """
    from scipy.sparse import csr_array

    assert tables.horizon is not None
    horizon, n, a = tables.horizon, tables.num_states, tables.num_actions
    place, _, column, starts = tables.outcome_rows
    logs = (tables.log_p + paid.detach()).cpu().numpy().reshape(-1)[place]
    top, bottom = logs.max(), logs.min()
    weights = csr_array((np.exp(logs - top), column, starts), shape=(a * n, n + 1))
    prior, terminal = np.exp(tables.log_prior.mT.cpu().numpy()), tables.terminal.cpu().numpy()
    value = np.zeros((horizon + 1, n + 1), logs.dtype)  # the last is the silent end
    policy = np.empty((horizon, a, n), logs.dtype)
    ahead, sums = np.zeros((horizon, n + 1), logs.dtype), np.empty((horizon, a * n), logs.dtype)
    reached = np.unique(column)  # the silent end's 0 is far from all others after many steps, and may be nowhere near
    for t in range(horizon - 1, -1, -1):
        following = value[t + 1, reached]
        highest = following.max()
        if highest - following.min() + top - bottom > WIDEST:
            return None
        ahead[t, reached] = np.exp(following - highest)
        sums[t] = weights @ ahead[t]
        here = policy[t]
        np.multiply(sums[t].reshape(a, n), prior[t], out=here)
        total = here.sum(0)
        here /= total
        value[t, :-1] = np.log(total) + (highest + top)
        value[t, :-1][terminal] = 0.0
    policy[:, :, terminal] = 0.0
    found = torch.from_numpy(value[:, :-1].copy()).to(tables.initial.device)
    return TiltedSweeps(found, weights, policy, ahead, sums)
