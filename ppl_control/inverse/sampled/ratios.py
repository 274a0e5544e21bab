"""Older episodes weighed as if the present policy had played them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inverse.sampled.steps import Steps

__all__ = ["effective_number", "per_decision_ratios"]


def per_decision_ratios(
    steps: Steps, now: Float[Tensor, " N"], then: Float[Tensor, " N"], largest: float
) -> Float[Tensor, "E T"]:
    """ρ_{i,t} = min(c, Π_{u ≤ t} π_now(a_u|s_u) / π_then(a_u|s_u)): what happens at t hangs on no later choice.

    Args:
        steps: episodes.
        now: log density of each action under the present policy, nats.
        then: under the policy that played it.
        largest: c. At 1 nothing counts more than an episode just played; without end the ratios are not truncated,
            and unbiased before they are normalised.

    References:
        Precup, Sutton and Singh (2000), per-decision importance sampling; Ionides (2008), truncated.
    """
    padded = torch.zeros(len(steps.lengths), int(steps.lengths.max()), dtype=torch.float64)
    # an action that the present policy cannot take ends the episode's say; −∞ would make NaN of a later +∞
    padded[steps.trajectory, steps.time] = (now - then).double().nan_to_num(neginf=-1e6).clamp(-1e6, 1e6)
    return padded.cumsum(1).clamp(max=math.log(largest) if largest < math.inf else 700.0).exp()


def effective_number(steps: Steps, ratio: Float[Tensor, "E T"], discount: float) -> float:
    """Kish's (Σρ)²/Σρ² of the episodes known at each time, averaged over time with weights γᵗ."""
    time = torch.arange(ratio.shape[1])
    ratio = ratio * (steps.observed[:, None] > time)
    square = ratio.square().sum(0)
    number = torch.where(square > 0, ratio.sum(0).square() / square.clamp(min=1e-300), 0.0)
    weight = discount ** time.double()
    return float((weight * number).sum() / weight.sum())
