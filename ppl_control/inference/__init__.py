"""How to infer: ``infer(model, method)``; one method a file."""

from ppl_control.inference.base import DivergenceError, Solution, Step, infer
from ppl_control.inference.contracts import ExactMethod, IterativeMethod
from ppl_control.inference.exact.family_optimum import FamilyOptimum
from ppl_control.inference.exact.message_passing import MessagePassing, Messages, messages
from ppl_control.inference.exact.noise import noise_posterior
from ppl_control.inference.exact.soft_value_iteration import SoftValueIteration
from ppl_control.inference.reinforcement.policy_gradient import SoftPolicyGradient
from ppl_control.inference.reinforcement.soft_actor_critic import SoftActorCritic
from ppl_control.inference.reinforcement.soft_q_learning.method import SoftQLearning
from ppl_control.inference.variational.particles import ParticlePlanning
from ppl_control.inference.variational.receding_horizon import RecedingHorizon
from ppl_control.inference.variational.svi import SVI

__all__ = [
    "SVI",
    "DivergenceError",
    "ExactMethod",
    "FamilyOptimum",
    "IterativeMethod",
    "MessagePassing",
    "Messages",
    "ParticlePlanning",
    "RecedingHorizon",
    "SoftActorCritic",
    "SoftPolicyGradient",
    "SoftQLearning",
    "SoftValueIteration",
    "Solution",
    "Step",
    "infer",
    "messages",
    "noise_posterior",
]
