"""Other rewards for the same outcomes."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.mdp.outcomes import Outcomes
from ppl_control.mdp.validation import as_array, check_finite

__all__ = ["rewards_of"]


@torch.no_grad()
def rewards_of(reward: Any, outcomes: Outcomes) -> Float[Tensor, "S A K"]:
    """What each outcome pays.

    Args:
        reward: shape [S, A], or [S, A, S] where it depends on the outcome, reward units; or a function (state, action,
            next_state) → reward units of index tensors that broadcast.
        outcomes: of every (s, a).

    Raises:
        ValueError: another shape, or rewards that are not finite; the message names the entry.
    """
    (n, a, _), like = outcomes.probability.shape, outcomes.probability
    state, action = torch.meshgrid(*(torch.arange(m, device=like.device) for m in (n, a)), indexing="ij")
    places = (state[..., None], action[..., None], outcomes.next_state)
    if callable(reward):
        said: Any = reward(*places)
        paid = said.to(like).expand(like.shape)
    else:
        table = torch.as_tensor(as_array("reward", reward)).to(like)
        if table.shape not in ((n, a), (n, a, n)):
            raise ValueError(f"reward: expected shape {(n, a)} or {(n, a, n)}, got {tuple(table.shape)}")
        paid = table[..., None].expand(like.shape) if table.ndim == 2 else table[places]
    check_finite("reward", torch.where(outcomes.probability > 0, paid, 0.0).cpu().numpy())
    return paid
