"""One rollout's worth of learning: advantages, then epochs of minibatches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ppl_control.inference.base import DivergenceError
from ppl_control.inference.reinforcement.checks import require_finite
from ppl_control.inference.reinforcement.policy_gradient.advantages import generalised_advantages
from ppl_control.inference.reinforcement.policy_gradient.choices import choice_term
from ppl_control.inference.reinforcement.policy_gradient.loss import clipped_surrogate
from ppl_control.inference.reinforcement.policy_gradient.rollout import Rollout
from ppl_control.inference.reinforcement.policy_gradient.value import ValueNetwork
from ppl_control.trajectory.handlers import restricted
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Batch", "batch_of", "learn", "policy_loss"]

NEARLY_ALL = 1e-3  # of the largest advantage: a smaller deviation is rounding, and is not divided by
FAR = 10.0  # nats between the policies before and after an update; a sound one makes 0.01


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows to learn from, in any order: [n], with [n, d] and [n, m] for vectors.

    Attributes:
        advantage: of the action taken, reward units.
        target: what V(s, t) should have been, reward units.
    """

    state: Tensor
    time: Tensor
    action: Tensor
    log_policy: Tensor
    advantage: Tensor
    target: Tensor

    def rows(self, index: Tensor) -> Batch:
        """Some of the rows."""
        return Batch(**{name: column[index] for name, column in self.__dict__.items()})


@torch.no_grad()
def batch_of(model: TrajectoryModel, value: nn.Module, rollout: Rollout, gae_lambda: float) -> Batch:
    """The rollout's rows with their advantages, its rewards being those of the maximum-entropy objective."""
    here = value(rollout.state, rollout.time)
    ahead = value(rollout.next_state, rollout.time + 1)
    advantage = generalised_advantages(
        rollout.reward + model.temperature * rollout.choice,
        here,
        ahead,
        rollout.terminated,
        rollout.ended,
        discount=model.discount,
        gae_lambda=gae_lambda,
    )
    columns = (rollout.state, rollout.time, rollout.action, rollout.log_policy, advantage, advantage + here)
    return Batch(*(column.flatten(0, 1) for column in columns))


def policy_loss(model: TrajectoryModel, policy: nn.Module, batch: Batch, clip: float) -> tuple[Tensor, Tensor]:
    """Minus the surrogate of the maximum-entropy objective, reward units a step, and log π/π_played, nats [n].

    Its gradient at the policy that played is −E[A ∇log π + α ∇choice], an unbiased estimate of minus the
    objective's gradient where the advantages are.
    """
    q = restricted(policy(batch.state, batch.time), model.prior.site(batch.state, batch.time))
    log_ratio = q.log_prob(batch.action) - batch.log_policy
    gain = clipped_surrogate(log_ratio, batch.advantage, clip)
    choice = choice_term(q, model.prior, batch.state, batch.time)
    if choice is not None:
        gain = gain + model.temperature * choice
    return -gain.mean(), log_ratio


def learn(
    method: Any,
    model: TrajectoryModel,
    policy: nn.Module,
    value: ValueNetwork,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    number: int,
) -> dict[str, Tensor]:
    """Several epochs on the batch, from torch's current random stream; changes policy, value and optimiser.

    Returns:
        ``actor_loss`` (in deviations of the advantage) and ``critic_loss`` (in units of the value's scale) before
        each change; ``kl`` from the policy that played, nats, and ``clipped``, the share of actions that had moved
        too far, in the last epoch. Means over minibatches.

    Raises:
        DivergenceError: at environment step ``number`` a gradient was not finite, or the policy was thrown far away
            from the one that played.
    """
    value.rescale(batch.target)
    least = (NEARLY_ALL * batch.advantage.abs().max()).clamp(min=torch.finfo(batch.advantage.dtype).tiny)
    scale = batch.advantage.std(correction=0).clamp(min=least)
    n = len(batch.advantage)
    losses, moved = [], []
    for epoch in range(method.epochs):
        order = torch.randperm(n).to(batch.advantage.device)
        for index in order.chunk(method.minibatches):
            rows = batch.rows(index)
            actor_loss, log_ratio = policy_loss(model, policy, rows, method.clip)
            actor_loss = actor_loss / scale
            critic_loss = value.loss(rows.state, rows.time, rows.target)
            optimizer.zero_grad(set_to_none=True)
            (actor_loss + critic_loss).backward()
            for name, module in (("policy", policy), ("value", value)):
                norm = clip_grad_norm_(module.parameters(), method.max_gradient_norm)
                require_finite(number, **{f"the {name}'s gradient": norm})
            optimizer.step()
            losses.append(torch.stack([actor_loss, critic_loss]).detach())
            if epoch == method.epochs - 1:
                moved.append(_moved(log_ratio.detach(), method.clip))
    actor, critic = torch.stack(losses).mean(0)
    distance, kl, clipped = torch.stack(moved).mean(0)
    if distance > FAR:
        raise DivergenceError(
            f"step {number}: one update moved the policy by {float(distance):.0f} nats, beyond any trust region; "
            "lower the learning rate"
        )
    return {"actor_loss": actor, "critic_loss": critic, "kl": kl, "clipped": clipped}


def _moved(log_ratio: Tensor, clip: float) -> Tensor:
    """KL(played ‖ π) twice, by an estimate that no outlier upsets and one never below 0; the share beyond the clip."""
    ratio = log_ratio.exp()
    beyond = ((ratio - 1).abs() > clip).to(ratio)
    return torch.stack([-log_ratio.mean(), (ratio - 1 - log_ratio).mean(), beyond.mean()])
