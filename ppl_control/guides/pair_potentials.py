"""Steps as factors ψ(s, a, s'), for guides that know neighbouring states only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.trajectory.tables import Tables

__all__ = ["MOST_PAIRS", "PairPotentials", "pair_potentials"]

MOST_PAIRS = 2**27  # largest table [S, A, S+1] to hold


@dataclass(frozen=True, eq=False)
class PairPotentials:
    """What a step from s by a to s' weighs, its outcomes taken together; S as s' is the silent end.

    Attributes:
        log_weight: ψ(s,a,s') = log Σ_{k → s'} p_k exp(r_k/α), nats; −inf where no outcome leads there.
        reward: the mean reward of those outcomes, each weighted by p_k exp(r_k/α), reward units.
    """

    log_weight: Float[Tensor, "S A S+1"]
    reward: Float[Tensor, "S A S+1"]


def pair_potentials(tables: Tables) -> PairPotentials:
    """The potentials of a model: the outcome given (s, a, s') is exact, and no choice is left in it.

    Raises:
        ValueError: too many pairs to hold.
    """
    n, actions = tables.num_states, tables.num_actions
    if n * actions * (n + 1) > MOST_PAIRS:
        raise ValueError(
            f"model: mean field needs a table of {n} × {actions} × {n + 1} entries, more than {MOST_PAIRS}; "
            "use FixedDynamics or Unconstrained"
        )
    gain = (tables.log_p + tables.reward).flatten(0, 1)
    index = tables.successor.flatten(0, 1)
    top = gain.new_full((n * actions, n + 1), -torch.inf).scatter_reduce(1, index, gain, "amax")
    safe = torch.where(top > -torch.inf, top, 0.0)
    weight = (gain - safe.gather(1, index)).exp()
    total = torch.zeros_like(top).scatter_add(1, index, weight)
    paid = torch.zeros_like(top).scatter_add(1, index, weight * tables.outcomes.reward.flatten(0, 1))
    mean = torch.where(total > 0, paid / torch.where(total > 0, total, 1.0), 0.0)
    shape = (n, actions, n + 1)
    return PairPotentials((total.log() + safe).reshape(shape), mean.reshape(shape))
