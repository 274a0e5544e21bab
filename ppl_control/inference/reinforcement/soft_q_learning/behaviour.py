"""What is done while learning: the policy of the moment, and now and then anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ppl_control.policies.base import Time
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["draw", "explored", "lifetime_of", "log_prior_of"]


def explored(log_policy: Float[Tensor, "n A"], log_prior: Tensor, share: float) -> Float[Tensor, "n A"]:
    """B = (1 − ε) π + ε u, with u uniform over the actions that π0 allows: probabilities.

    The Boltzmann policy explores by itself where α is of the size of the differences between actions. Where α is
    tiny it does not; the mixture does so at every α, and in no unit.
    """
    open_actions = (~log_prior.isneginf()).to(log_policy).expand_as(log_policy)
    return (1 - share) * log_policy.exp() + share * open_actions / open_actions.sum(-1, keepdim=True)


def draw(behaviour: Float[Tensor, "n A"], generator: torch.Generator) -> Int[Tensor, " n"]:
    """One action for each row of probabilities, on the CPU."""
    return torch.multinomial(behaviour.cpu(), 1, generator=generator)[:, 0]


def log_prior_of(model: TrajectoryModel) -> Callable[[Tensor, Time], Tensor]:
    """Log π0 of a simulator with finitely many actions: (state, t) → [*b, A], or [1] where it hangs on nothing."""
    prior = model.prior
    if prior.is_base:
        nothing = torch.zeros(1, dtype=model.mdp.dtype, device=model.mdp.device)
        return lambda state, t: nothing
    if model.action_prior == "uniform":
        same = -torch.log(
            torch.full((1,), float(model.mdp.num_actions), dtype=model.mdp.dtype, device=model.mdp.device)
        )
        return lambda state, t: same

    @torch.no_grad()
    def log_prior(state: Tensor, t: Time) -> Tensor:
        return prior.site(state, t).logits

    return log_prior


def lifetime_of(model: TrajectoryModel) -> float:
    """The most decisions that count: T, or 1/(1−γ)."""
    return float(model.horizon or 1 / (1 - model.discount))
