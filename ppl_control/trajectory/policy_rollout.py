"""Episodes of a tabular model under a policy that is asked where it stands, not read as a table."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["policy_returns"]


@torch.no_grad()
def policy_returns(model: TrajectoryModel, policy: nn.Module, n: int) -> Float[Tensor, " n"]:
    """Σ_t r_t of n episodes, reward units, from torch's current random stream.

    Raises:
        ValueError: no horizon, and episodes might never end.
    """
    tables = model.tables
    tables.require_end()
    end = tables.num_states
    state = torch.multinomial(tables.initial, n, replacement=True)
    total, t = tables.initial.new_zeros(n), 0
    while (tables.horizon is None or t < tables.horizon) and bool((state < end).any()):
        alive = (state < end).nonzero()[:, 0]
        here = state[alive]
        action = policy(here, None if tables.horizon is None else t).sample()
        outcome = torch.multinomial(tables.outcomes.probability[here, action], 1)[:, 0]
        total[alive] += tables.reward[here, action, outcome] * model.temperature
        state = state.clone()
        state[alive] = tables.successor[here, action, outcome]
        t += 1
    return total
