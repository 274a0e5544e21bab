"""Any policy as the actor: the same soft values, through its own distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from ppl_control.inference.reinforcement.replay import Batch
from ppl_control.inference.reinforcement.soft_actor_critic.discrete import exact_value, q_of_index
from ppl_control.trajectory.action_prior import ActionPrior
from ppl_control.trajectory.handlers import restricted

__all__ = ["AnyContinuousPolicy", "AnyDiscretePolicy"]


class AnyContinuousPolicy:
    """The soft value of states by one ``rsample`` each, from torch's current random stream.

    Args:
        policy: whose distributions have ``rsample`` and ``log_prob`` (a flow), with weights handed in.
        prior: π0.
    """

    def __init__(self, policy: nn.Module, prior: ActionPrior) -> None:
        self.draw, self.prior = _Draw(policy), prior

    def soft_value(
        self,
        actor: Sequence[Tensor],
        critic: Callable[..., Float[Tensor, "2 B"]],
        state: Tensor,
        noise: Tensor,
        temperature: Tensor,
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """V = min_i Q_i(s,a) − α log π(a|s)/π0(a|s) for a ~ π(·|s), reward units, and log π(a|s)."""
        action, log_prob = functional_call(self.draw, _named(self.draw, actor), (state,))
        log_prior = self.prior.log_prob(state, action, None)
        return critic(state, action).amin(0) - temperature * (log_prob - log_prior), log_prob

    def q_taken(self, critic: Callable[..., Float[Tensor, "2 B"]], batch: Batch) -> Float[Tensor, "2 B"]:
        """Both critics' values of what was done."""
        return critic(batch.observation, batch.action)


class AnyDiscretePolicy:
    """The soft value of states by the sum over their actions.

    Args:
        policy: whose distributions are categorical, with weights handed in.
        prior: π0.
    """

    def __init__(self, policy: nn.Module, prior: ActionPrior) -> None:
        self.policy, self.prior = policy, prior

    def soft_value(
        self,
        actor: Sequence[Tensor],
        critic: Callable[..., Float[Tensor, "2 B A"]],
        state: Tensor,
        noise: Tensor,
        temperature: Tensor,
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """V(s), reward units, and Σ_a π log π; ``noise`` is not needed."""
        prior = self.prior.density(state, None)
        proposal = functional_call(self.policy, _named(self.policy, actor), (state, None))
        policy = proposal if prior is None else restricted(proposal, prior)
        log_prior = torch.zeros_like(policy.logits) if prior is None else prior.logits
        return exact_value(policy.logits.float(), critic(state), log_prior.float(), temperature)

    def q_taken(self, critic: Callable[..., Float[Tensor, "2 B A"]], batch: Batch) -> Float[Tensor, "2 B"]:
        """Both critics' values of what was done."""
        return q_of_index(critic(batch.observation), batch.action)


class _Draw(nn.Module):
    """An action and its log-density, both before the weights that were handed in are gone: flows look at them late."""

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        q = self.policy(state, None)
        action = q.rsample()
        return action.float(), q.log_prob(action).float()


def _named(module: nn.Module, values: Sequence[Tensor]) -> dict[str, Tensor]:
    return {name: value for (name, _), value in zip(module.named_parameters(), values, strict=True)}
