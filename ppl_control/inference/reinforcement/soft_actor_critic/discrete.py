"""Finitely many actions: every expectation over them is a sum, and nothing is drawn.

References:
    Christodoulou (2019, arXiv 1910.07207).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.reinforcement.replay import Batch
from ppl_control.policies.mlp import CategoricalMLP

__all__ = ["DiscreteActions", "exact_value", "q_of_index"]


def exact_value(
    log_prob: Float[Tensor, "B A"],
    q: Float[Tensor, "2 B A"],
    log_prior: float | Float[Tensor, "B A"],
    temperature: Tensor,
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """V = Σ_a π(a|s) [min_i Q_i(s,a) − α log π(a|s)/π0(a|s)], reward units, and Σ_a π log π, nats."""
    prob = log_prob.exp()
    # Where a prior rules an action out and the policy has followed it, 0 · (−∞) is 0.
    finite = torch.where(prob > 0, log_prob, 0.0)
    value = torch.where(prob > 0, q.amin(0) - temperature * (finite - log_prior), 0.0)
    return (prob * value).sum(-1), (prob * finite).sum(-1)


def q_of_index(q: Float[Tensor, "2 B A"], action: Float[Tensor, "B 1"]) -> Float[Tensor, "2 B"]:
    """The values of the actions with these indices."""
    return q.gather(-1, action.long().expand(2, -1, -1)).squeeze(-1)


class DiscreteActions:
    """The soft value of states by the sum over their actions.

    Args:
        policy: whose network is used, with weights handed in.
        log_prior: log π0, nats, the same for every action.
    """

    def __init__(self, policy: CategoricalMLP, log_prior: float) -> None:
        self.network, self.log_prior = policy.network, log_prior

    def soft_value(
        self,
        actor: Sequence[Tensor],
        critic: Callable[..., Float[Tensor, "2 B A"]],
        state: Tensor,
        noise: Tensor,
        temperature: Tensor,
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """V(s), reward units, and Σ_a π log π; ``noise`` is not needed."""
        log_prob = torch.log_softmax(self.network.outputs_of(actor, state), -1)
        return exact_value(log_prob, critic(state), self.log_prior, temperature)

    def q_taken(self, critic: Callable[..., Float[Tensor, "2 B A"]], batch: Batch) -> Float[Tensor, "2 B"]:
        """Both critics' values of what was done."""
        return q_of_index(critic(batch.observation), batch.action)
