"""The three losses of soft actor-critic, as they stand in the paper.

They are one ELBO. At a state s take the model of one step with action a ~ π0 and the factor exp(Q(s,a)/α), and the
policy as its guide. Its ELBO, times α, is the soft value

    V(s) = E_{a~π} [Q(s,a) − α log π(a|s)/π0(a|s)],

so the actor, which maximises V, does SVI, and the best it can do is the posterior π0 exp(Q/α)/Z. The critic stands
for the rest of the trajectory: Q(s,a) = r + γ E V(s') is the tail of the trajectory's ELBO, learned once for all
states instead of being sampled to its end. The temperature is the price of a constraint on the guide's entropy.

References:
    Haarnoja et al. (2018, arXiv 1812.05905), eq. 3, 5, 7 and 18; Levine (2018, arXiv 1805.00909), section 4.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

__all__ = ["actor_loss", "critic_loss", "temperature_loss"]


def critic_loss(q: Float[Tensor, "2 B"], target: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """J_Q = Σ_i E ½ (Q_i(s,a) − y)²."""
    return 0.5 * (q - target).square().mean(-1).sum()


def actor_loss(value: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """J_π = E [α log π(a|s)/π0(a|s) − min_i Q_i(s,a)] = −E V(s): minus α times the one-step ELBO."""
    return -value.mean()


def temperature_loss(
    log_temperature: Float[Tensor, ""], log_prob: Float[Tensor, " B"], target_entropy: float
) -> Float[Tensor, ""]:
    """J_α = log α (H(π) − H̄): α falls while the policy is more random than wanted, and rises while it is less.

    The paper's α (H − H̄) has the same sign and zero; in log α the step does not shrink with α.
    """
    entropy = -log_prob.detach().mean()
    return log_temperature * (entropy - target_entropy)
