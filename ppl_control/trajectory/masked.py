"""Arithmetic with log-probabilities of −∞ that keeps values and gradients finite."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

__all__ = ["closed_kl", "impossible", "kl_categorical", "weighted"]

LEAST_CLAMPED = -50.0  # torch clamps log 0 to log eps (−36 in float64); a true probability underflows far below


def weighted(weight: Tensor, value: Tensor) -> Tensor:
    """Weight · value, and 0 where the weight is 0, whatever the value."""
    return torch.where(weight > 0, weight * torch.where(weight > 0, value, 0.0), 0.0)


def impossible(distribution: Categorical) -> Tensor:
    """Where a categorical has no mass; torch's logits of ``probs=0`` are clamped to some −36 instead of −∞."""
    clamped = (distribution.probs == 0) & (distribution.logits > LEAST_CLAMPED)
    return clamped | (distribution.logits == -torch.inf)


def kl_categorical(q: Categorical, p: Categorical) -> Tensor:
    """KL(q ‖ p), nats; unlike torch's, with a gradient where both have no mass."""
    return weighted(q.logits.exp(), q.logits - p.logits).sum(-1)


def closed_kl(q: Distribution, p: Distribution) -> Tensor | None:
    """KL(q ‖ p), nats; None where torch knows no closed form."""
    if isinstance(q, Categorical) and isinstance(p, Categorical):
        return kl_categorical(q, p)
    try:
        return torch.distributions.kl_divergence(q, p)
    except NotImplementedError:
        return None
