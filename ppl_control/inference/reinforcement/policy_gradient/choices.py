"""What choosing costs: the entropy of a policy, or its divergence from the action prior."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Categorical

from ppl_control.trajectory.action_prior import ActionPrior
from ppl_control.trajectory.masked import closed_kl, weighted

__all__ = ["choice_term"]


def choice_term(q: Any, prior: ActionPrior, state: Tensor, t: Tensor) -> Float[Tensor, " n"] | None:
    """−KL(q(·|s) ‖ π0(·|s)), nats: the entropy under the base measure; differentiable in q.

    In closed form where there is one, else from one reparameterised action of its own (never the one that was
    taken, so that the score function does not count its gradient again).

    Returns:
        None where q has neither: the density of the action taken must serve then, and the score function
        carries its gradient.
    """
    density = prior.density(state, t)
    if density is not None:
        divergence = closed_kl(q, density)
        if divergence is not None:
            return -divergence
    elif isinstance(q, Categorical):
        return -weighted(q.logits.exp(), q.logits).sum(-1)
    else:
        try:
            return q.entropy()
        except NotImplementedError:
            pass
    if not q.has_rsample:
        return None
    action = q.rsample()
    return prior.log_prob(state, action, t) - q.log_prob(action)
