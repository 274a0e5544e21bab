"""The policy gradient of the maximum-entropy objective."""

from ppl_control.inference.reinforcement.policy_gradient.method import SoftPolicyGradient

__all__ = ["SoftPolicyGradient"]
