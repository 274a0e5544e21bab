"""How much better than expected the actions turned out: generalised advantage estimation."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["generalised_advantages"]


def generalised_advantages(
    reward: Float[Tensor, "L n"],
    value: Float[Tensor, "L n"],
    next_value: Float[Tensor, "L n"],
    terminated: Bool[Tensor, "L n"],
    ended: Bool[Tensor, "L n"],
    *,
    discount: float,
    gae_lambda: float,
) -> Float[Tensor, "L n"]:
    """A_t = Σ_k (γλ)ᵏ δ_{t+k},  δ_t = r_t + γ V(s_{t+1}) − V(s_t), to the end of the episode or of the rows.

    With λ = 1 the sum is the reward to go less the baseline V(s_t), closed by γᵏ V of the last state seen where
    the episode was cut there. V after a termination is 0; a truncated episode has the value of its last state.

    Args:
        reward: r_t with the entropy term of the maximum-entropy objective in it, reward units, index order [t, i].
        value: V(s_t), reward units.
        next_value: V of the state that the step led to: where an episode ended, of its last one.
        terminated: nothing follows.
        ended: terminated or truncated: the next row belongs to another episode.
        discount: γ.
        gae_lambda: λ in [0, 1]: 0 trusts the baseline most, 1 least.

    Returns:
        Reward units.

    References:
        Schulman et al. (2016), arXiv 1506.02438, eq. 16; Pardo et al. (2018), arXiv 1712.00378, on truncation.

    Example:
        >>> row = lambda *numbers: torch.tensor(numbers)[:, None]
        >>> no = torch.zeros(2, 1, dtype=torch.bool)
        >>> settings = {"discount": 0.5, "gae_lambda": 1.0}
        >>> generalised_advantages(row(1.0, 2.0), row(0.0, 0.0), row(0.0, 4.0), no, no, **settings).T
        tensor([[3., 4.]])
    """
    error = reward + discount * torch.where(terminated, 0.0, next_value) - value
    kept = torch.full_like(error, discount * gae_lambda).masked_fill(ended, 0.0)
    advantage, ahead = torch.empty_like(error), torch.zeros_like(error[0])
    for t in range(len(error) - 1, -1, -1):
        ahead = torch.addcmul(error[t], kept[t], ahead)
        advantage[t] = ahead
    return advantage
