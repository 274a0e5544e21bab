"""Soft actor-critic: amortised inference of the action at every state, with the rest of the ELBO learned."""

from ppl_control.inference.reinforcement.soft_actor_critic.method import SoftActorCritic
from ppl_control.inference.reinforcement.soft_actor_critic.state import SoftActorCriticState

__all__ = ["SoftActorCritic", "SoftActorCriticState"]
