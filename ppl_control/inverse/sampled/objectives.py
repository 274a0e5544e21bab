"""What the reward descends: the dual of maximum causal entropy, or a discriminator's logistic loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["Side", "adversarial_loss", "discriminator", "discriminator_logit", "dual_loss", "squared_rewards"]


@dataclass(frozen=True, eq=False)
class Side:
    """One side of the comparison: rows of the demonstrators or of the agent.

    Attributes:
        value: r_ψ of each row (f_ψ with shaping), reward units, [N].
        weight: such that Σ weight · value estimates E Σγᵗ value, [N].
        log_policy: log π of the row's action under the present policy, nats, [N]; adversarial only.
    """

    value: Float[Tensor, " N"]
    weight: Float[Tensor, " N"]
    log_policy: Float[Tensor, " N"] | None = None

    @property
    def expected(self) -> Float[Tensor, ""]:
        """E Σγᵗ value, reward units."""
        return (self.weight * self.value).sum()


def dual_loss(demonstrated: Side, played: Side, temperature: float) -> Float[Tensor, ""]:
    """−(E_demo Σγᵗ r − E_π Σγᵗ r)/α, nats, whose gradient is that of minus the dual where π is soft-optimal for r."""
    return -(demonstrated.expected - played.expected) / temperature


def discriminator_logit(
    value: Float[Tensor, " N"], log_policy: Float[Tensor, " N"], temperature: float
) -> Float[Tensor, " N"]:
    """Log D − log(1−D) = f/α − log π(a|s)."""
    return value / temperature - log_policy


def discriminator(
    value: Float[Tensor, " N"], log_policy: Float[Tensor, " N"], temperature: float
) -> Float[Tensor, " N"]:
    """D = exp(f/α) / (exp(f/α) + π(a|s)), the probability that a demonstrator did it."""
    return discriminator_logit(value, log_policy, temperature).sigmoid()


def adversarial_loss(demonstrated: Side, played: Side, temperature: float) -> Float[Tensor, ""]:
    """−E_demo Σγᵗ log D − E_π Σγᵗ log(1 − D), nats: sums of episodes, not means of steps, so that lengths count."""
    assert demonstrated.log_policy is not None
    assert played.log_policy is not None
    real = discriminator_logit(demonstrated.value, demonstrated.log_policy, temperature)
    made = discriminator_logit(played.value, played.log_policy, temperature)
    return (demonstrated.weight * softplus(-real)).sum() + (played.weight * softplus(made)).sum()


def squared_rewards(demonstrated: Side, played: Side, temperature: float) -> Float[Tensor, ""]:
    """½ (E_demo + E_π) Σγᵗ (r/α)², nats²: what a penalty on large rewards weighs."""
    squares = (side.weight * (side.value / temperature).square() for side in (demonstrated, played))
    return 0.5 * torch.stack([square.sum() for square in squares]).sum()
