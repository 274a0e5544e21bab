"""What an update descends: the losses as functions of the parameters, for any kind of action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.reinforcement.bootstrapping import soft_target
from ppl_control.inference.reinforcement.replay import Batch, columns
from ppl_control.inference.reinforcement.soft_actor_critic.losses import actor_loss, critic_loss
from ppl_control.inference.reinforcement.soft_actor_critic.networks.critics import ActionCritics, StateCritics

__all__ = ["Actions", "Objectives"]


class Actions(Protocol):
    """A kind of action: how soft values come about."""

    def soft_value(
        self,
        actor: Sequence[Tensor],
        critic: Callable[..., Tensor],
        state: Tensor,
        noise: Tensor,
        temperature: Tensor,
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """V(s), reward units, and log π of what was drawn (its mean where nothing is), nats."""
        ...

    def q_taken(self, critic: Callable[..., Tensor], batch: Batch) -> Float[Tensor, "2 B"]:
        """Both critics' values of what was done."""
        ...


@dataclass(frozen=True, eq=False)
class Objectives:
    """The losses of parameters that are handed in; none are kept.

    Attributes:
        actions: the kind of action.
        critic: module of the twin critics.
        widths: of the columns of a row of experience.
        indexed: observations are integers.
    """

    actions: Actions
    critic: ActionCritics | StateCritics
    widths: Sequence[int]
    indexed: bool

    def batch(self, rows: Float[Tensor, "B width"]) -> Batch:
        """Rows as transitions."""
        batch = columns(rows, self.widths)
        if not self.indexed:
            return batch
        here, there = (seen[:, 0].long() for seen in (batch.observation, batch.next_observation))
        return batch._replace(observation=here, next_observation=there)

    def target(
        self,
        actor: Sequence[Tensor],
        target: Sequence[Tensor],
        batch: Batch,
        noise: Tensor,
        temperature: Tensor,
        discount: float,
    ) -> Float[Tensor, " B"]:
        """Y = r + γ (1 − done) V(s'), by the target critics; reward units."""
        value, _ = self.actions.soft_value(actor, self._critics(target), batch.next_observation, noise, temperature)
        return soft_target(batch.reward, batch.terminated, value, discount)

    def critic_loss(self, critic: Sequence[Tensor], batch: Batch, target: Float[Tensor, " B"]) -> Float[Tensor, ""]:
        """J_Q of the critics' parameters."""
        return critic_loss(self.actions.q_taken(self._critics(critic), batch), target)

    def actor_loss(
        self, actor: Sequence[Tensor], critic: Sequence[Tensor], batch: Batch, noise: Tensor, temperature: Tensor
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " B"]]:
        """J_π of the policy's parameters, with the critics held, and log π of what was drawn."""
        value, log_prob = self.actions.soft_value(actor, self._critics(critic), batch.observation, noise, temperature)
        return actor_loss(value), log_prob

    def _critics(self, values: Sequence[Tensor]) -> Callable[..., Tensor]:
        return partial(self.critic.q_of, values)
