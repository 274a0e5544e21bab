"""Actions between bounds: one reparameterised draw a state, tanh of a normal, squashed into the box."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from ppl_control.inference.reinforcement.replay import Batch
from ppl_control.policies.gaussian import SquashedGaussianMLP, log_scale_of

__all__ = ["ContinuousActions", "squashed_draw"]

LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


def squashed_draw(
    numbers: Float[Tensor, "B two_m"],
    noise: Float[Tensor, "B m"],
    low: Float[Tensor, " m"],
    high: Float[Tensor, " m"],
    start_scale: float,
) -> tuple[Float[Tensor, "B m"], Float[Tensor, " B"]]:
    """The action that standard normal noise becomes, and its log-density in the units of the bounds, nats.

    What ``SquashedGaussianMLP`` says with distributions, as plain arithmetic that one compiled graph can hold. The
    density is that of the draw itself, from x and not from the action, whose digits are lost near the bounds:
    log N(x) − log(high − low) − log(2 σ(2x) σ(−2x)), and log σ(2x) σ(−2x) = −2 (x + softplus(−2x)).

    Args:
        numbers: what the policy's network says of each state, means first.
        noise: ε ~ N(0, I).
        low: the smallest action.
        high: the largest action.
        start_scale: the deviation that zeros stand for.
    """
    mean, raw = numbers.chunk(2, -1)
    log_scale = log_scale_of(raw) + math.log(start_scale)
    x = mean + log_scale.exp() * noise
    log_normal = -0.5 * noise.square() - log_scale - LOG_ROOT_TWO_PI
    log_jacobian = torch.log(high - low) + math.log(2) - 2 * (x + softplus(-2 * x))
    return torch.lerp(low, high, torch.sigmoid(2 * x)), (log_normal - log_jacobian).sum(-1)


class ContinuousActions:
    """The soft value of states by one draw each.

    Args:
        policy: whose network is used, with weights handed in.
        log_prior: log π0, nats, the same for every action.
    """

    def __init__(self, policy: SquashedGaussianMLP, log_prior: float) -> None:
        low, high = policy.bounds.low, policy.bounds.high
        assert low is not None
        assert high is not None
        self.network, self.low, self.high = policy.network, low, high
        self.start_scale, self.log_prior = policy.bounds.start_scale, log_prior

    def soft_value(
        self,
        actor: Sequence[Tensor],
        critic: Callable[..., Float[Tensor, "2 B"]],
        state: Tensor,
        noise: Float[Tensor, "B m"],
        temperature: Tensor,
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """V = min_i Q_i(s,a) − α log π(a|s)/π0(a|s) for a ~ π(·|s), reward units, and log π(a|s)."""
        numbers = self.network.outputs_of(actor, state)
        action, log_prob = squashed_draw(numbers, noise, self.low, self.high, self.start_scale)
        value = critic(state, action).amin(0) - temperature * (log_prob - self.log_prior)
        return value, log_prob

    def q_taken(self, critic: Callable[..., Float[Tensor, "2 B"]], batch: Batch) -> Float[Tensor, "2 B"]:
        """Both critics' values of what was done."""
        return critic(batch.observation, batch.action)
