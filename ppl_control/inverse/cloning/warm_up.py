"""Least squares before likelihood: where a policy's actions lie is learned before how far they spread."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ppl_control.inverse.demonstrations.decisions import Decisions
from ppl_control.policies.base import mode_of

__all__ = ["distance", "has_slope"]


def distance(policy: nn.Module, decisions: Decisions) -> Tensor:
    """Mean squared distance of the demonstrated actions from the policy's mode.

    Likelihood alone weighs each state by 1/σ(s)²: states whose actions are easy take over, σ grows in the others, and
    nothing more is learned there.

    References:
        Seitzer et al. (2022), On the pitfalls of heteroscedastic uncertainty estimation, arXiv 2203.09168.
    """
    return (mode_of(policy(decisions.states, decisions.t)) - decisions.actions).square().mean()


def has_slope(policy: nn.Module, decisions: Decisions) -> bool:
    """Whether the policy has a mode that moves with its parameters: flows and choices among finitely many do not."""
    if not decisions.actions.is_floating_point():
        return False
    with torch.enable_grad():
        one = decisions.taken(torch.arange(1, device=decisions.t.device))
        try:
            return distance(policy, one).requires_grad
        except ValueError:
            return False
