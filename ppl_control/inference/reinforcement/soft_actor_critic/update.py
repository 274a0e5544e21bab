"""One update of everything: critics, policy, temperature and target averages.

Twice: as one graph of tensor functions, all of which ``torch.compile`` can hold at once, and ``eager`` for where there
is no compiler or the policy is one that no graph holds. The losses are the same functions, and so are the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import grad_and_value
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ppl_control.inference.reinforcement.soft_actor_critic.adam import adam_eager, adam_in_graph
from ppl_control.inference.reinforcement.soft_actor_critic.learned import Learned
from ppl_control.inference.reinforcement.soft_actor_critic.losses import temperature_loss
from ppl_control.inference.reinforcement.soft_actor_critic.objectives import Objectives

__all__ = ["METRICS", "Rates", "eager", "in_graph"]

METRICS = ("critic_loss", "actor_loss", "entropy", "temperature")


@dataclass(frozen=True)
class Rates:
    """Numbers of the update.

    Attributes:
        discount: γ.
        learning_rate: of every Adam.
        target_rate: share of the critics in each step of the target averages.
        target_entropy: H̄, nats; None: the temperature stays.
    """

    discount: float
    learning_rate: float
    target_rate: float
    target_entropy: float | None


def in_graph(
    objectives: Objectives, rates: Rates, learned: Learned, rows: Float[Tensor, "B width"], noise: Tensor
) -> Float[Tensor, " metrics"]:
    """Update ``learned`` in place from rows of experience; ``noise`` [2, B, …], for s' and s. Returns ``METRICS``."""
    actor, critic, target, log_temperature, count = learned
    batch = objectives.batch(rows)
    temperature = log_temperature.values[0].exp()
    count.add_(1)

    y = objectives.target(actor.values, target, batch, noise[0], temperature, rates.discount)
    critic_slope, critic_loss = grad_and_value(objectives.critic_loss)(critic.values, batch, y)
    adam_in_graph(critic, critic_slope, count, rates.learning_rate)
    for average, value in zip(target, critic.values, strict=True):
        average.lerp_(value, rates.target_rate)

    actor_slope, (actor_loss, log_prob) = grad_and_value(objectives.actor_loss, has_aux=True)(
        actor.values, critic.values, batch, noise[1], temperature
    )
    adam_in_graph(actor, actor_slope, count, rates.learning_rate)

    if rates.target_entropy is not None:
        slope = torch.func.grad(temperature_loss)(log_temperature.values[0], log_prob, rates.target_entropy)
        adam_in_graph(log_temperature, [slope], count, rates.learning_rate)
    return torch.stack([critic_loss, actor_loss, -log_prob.mean(), temperature])


def eager(
    objectives: Objectives, rates: Rates, learned: Learned, rows: Float[Tensor, "B width"], noise: Tensor
) -> Float[Tensor, " metrics"]:
    """What ``in_graph`` does, by autograd and fused kernels."""
    actor, critic, target, log_temperature, count = learned
    batch = objectives.batch(rows)
    with torch.no_grad():
        temperature = log_temperature.values[0].exp()
        count.add_(1)
        y = objectives.target(actor.values, target, batch, noise[0], temperature, rates.discount)

    leaves = _leaves(critic.values)
    critic_loss = objectives.critic_loss(leaves, batch, y)
    adam_eager(critic, torch.autograd.grad(critic_loss, leaves), count, rates.learning_rate)
    get_ema_multi_avg_fn(1 - rates.target_rate)(target, critic.values, None)

    leaves = _leaves(actor.values)
    actor_loss, log_prob = objectives.actor_loss(leaves, critic.values, batch, noise[1], temperature)
    adam_eager(actor, torch.autograd.grad(actor_loss, leaves), count, rates.learning_rate)

    if rates.target_entropy is not None:
        leaves = _leaves(log_temperature.values)
        slope = torch.autograd.grad(temperature_loss(leaves[0], log_prob, rates.target_entropy), leaves)
        adam_eager(log_temperature, slope, count, rates.learning_rate)
    return torch.stack([critic_loss, actor_loss, -log_prob.mean(), temperature]).detach()


def _leaves(values: Sequence[Tensor]) -> list[Tensor]:
    return [value.detach().requires_grad_() for value in values]
