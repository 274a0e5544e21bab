"""What choosing costs: the entropy of a policy, or its divergence from the action prior."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from ppl_control.trajectory.acting import minus_kl
from ppl_control.trajectory.action_prior import ActionPrior

__all__ = ["choice_term"]


def choice_term(q: Any, prior: ActionPrior, state: Tensor, t: Tensor) -> Float[Tensor, "*batch"] | None:
    """−KL(q(·|s) ‖ π0(·|s)), nats: the entropy under the base measure; differentiable in q.

    In closed form where there is one, else from one reparameterised action of its own (never the one that was
    taken, so that the score function does not count its gradient again).

    Returns:
        None where q has neither: the density of the action taken must serve then, and the score function
        carries its gradient.
    """
    closed = minus_kl(q, prior, state, t)
    if closed is not None or not q.has_rsample:
        return closed
    action = q.rsample()
    return prior.log_prob(state, action, t) - q.log_prob(action)
