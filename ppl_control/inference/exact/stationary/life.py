"""How long trajectories may last: what turns a residual into an error."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float

from ppl_control.inference.exact.stationary.chains import policy_chain
from ppl_control.trajectory.tables import Tables

__all__ = ["longest_life"]


def longest_life(tables: Tables) -> Float[np.ndarray, " S"]:
    """The most decisions that any policy can expect to make from each state; inf where some can go on forever.

    Policy iteration on w(s) = 1 + max_a E[w(s')].
    """
    n, ahead = tables.num_states, tables.links[0]
    if not tables.surely_ends:
        return np.full(n, math.inf)
    states, action = np.arange(n), np.zeros(n, int)
    alive = (~tables.terminal).double().cpu()
    while True:
        choice = torch.zeros(n, tables.num_actions, dtype=torch.float64)
        choice[states, action] = 1.0
        life = policy_chain(tables, choice).values(alive, "the length of life").numpy()
        later = (ahead @ life).reshape(-1, n)
        better = later.max(0) > later[action, states] * (1 + 1e-9) + 1e-9
        if not better.any():
            return life
        action = np.where(better, later.argmax(0), action)
