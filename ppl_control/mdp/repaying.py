"""Other rewards for the same outcomes."""

from __future__ import annotations

from typing import Any

import numpy as np
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
        ValueError: another shape, a function that fails or returns something else, or rewards that are not finite;
            the message names the entry.
    """
    like = outcomes.probability
    n, a, _ = like.shape
    state, action = torch.meshgrid(*(torch.arange(m, device=like.device) for m in (n, a)), indexing="ij")
    places = (state[..., None], action[..., None], outcomes.next_state)
    if callable(reward):
        paid = _said(reward, places, like)
    else:
        table = torch.tensor(np.array(as_array("reward", reward), order="C")).to(like)
        if table.shape not in ((n, a), (n, a, n)):
            raise ValueError(f"reward: expected shape {(n, a)} or {(n, a, n)}, got {tuple(table.shape)}")
        paid = table[..., None].expand(like.shape) if table.ndim == 2 else table[places]
    check_finite("reward", torch.where(outcomes.probability > 0, paid, 0.0).cpu().numpy())
    return paid


def _said(reward: Any, places: tuple[Tensor, Tensor, Tensor], like: Tensor) -> Float[Tensor, "S A K"]:
    """What a function pays at every place, or a ValueError where it does not."""
    if isinstance(reward, type):
        raise ValueError(f"reward: expected a table, a function or a module, got the class {reward.__name__}")
    if hasattr(reward, "require_sizes"):
        reward.require_sizes(*like.shape[:2])
    try:
        said = reward(*places)
    except Exception as error:
        raise ValueError(
            f"reward: failed on states, actions and next states of {like.shape[0]} states and {like.shape[1]} actions: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(said, Tensor) or said.is_complex():
        raise ValueError(f"reward: expected a tensor that broadcasts to {tuple(like.shape)}, got {said!r}")
    fits = said.ndim in (0, 3) and all(ours in (1, whole) for ours, whole in zip(said.shape, like.shape, strict=False))
    if not fits:
        raise ValueError(f"reward: expected shape {tuple(like.shape)}, that of the places, got {tuple(said.shape)}")
    return said.to(like).expand(like.shape)
