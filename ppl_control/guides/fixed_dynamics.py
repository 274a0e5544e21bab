"""The structured guide of the lecture: the world as it is, only the actions are chosen."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.guides.copies import trainable_copy
from ppl_control.guides.defaults import default_policy, require_dynamics
from ppl_control.guides.program import ProgramGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.settings import shown
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["FixedDynamics"]


@dataclass(frozen=True)
class FixedDynamics:
    """q(τ) = p(s₀) ∏ q(a_t|s_t) p(s_{t+1}|s_t,a_t): the dynamics cancel in the ELBO.

    Its optimum is the soft-optimal (MaxEnt) policy. A recipe: fitting copies the policy, and learns on from there, also
    from a solution's.

    Args:
        policy: q(a|s,t); None: the family that suits the model: a table for every step, a linear-Gaussian
            policy, or a network.

    Raises:
        ValueError: the policy is no module.

    References:
        Levine (2018), arXiv 1805.00909, section 3.2.
    """

    policy: nn.Module | None = None

    def __post_init__(self) -> None:
        if self.policy is not None and not isinstance(self.policy, nn.Module):
            raise ValueError(f"policy: expected a module such as TabularPolicy, got {shown(self.policy)}")

    def build(self, model: TrajectoryModel) -> TabularGuide | ContinuousGuide | ProgramGuide:
        """The guide bound to a model.

        Raises:
            ValueError: the policy does not fit the model.
        """
        require_dynamics(self, model)
        policy = default_policy(model) if self.policy is None else trainable_copy(self.policy)
        if model.is_tabular:
            return TabularGuide(model, policy)
        if model.is_continuous:
            return ContinuousGuide(model, policy)
        return ProgramGuide(model, policy, learn_dynamics=False)
