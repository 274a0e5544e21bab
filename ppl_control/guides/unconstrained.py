"""The guide that may believe anything possible: it wills the dynamics as well as the actions."""

from __future__ import annotations

from dataclasses import dataclass

from ppl_control.guides.fixed_dynamics import FixedDynamics
from ppl_control.guides.program import ProgramGuide, default_policy
from ppl_control.guides.tabular import TabularGuide
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Unconstrained"]


@dataclass(frozen=True)
class Unconstrained:
    """q(τ) = q(s₀) ∏ q(a_t|s_t) q(s_{t+1}|s_t,a_t,t), everything learned from the model's own as start.

    Its optimum is the exact posterior, which explains success by luck. No mass is put where p is 0.

    References:
        Levine (2018), arXiv 1805.00909, section 2.4 and 3.1.
    """

    def build(self, model: TrajectoryModel) -> TabularGuide | ProgramGuide:
        """The guide bound to a model."""
        if not model.is_tabular:
            return ProgramGuide(model, default_policy(model), learn_dynamics=True)
        t = model.tables
        log_p = t.log_p if t.horizon is None else t.log_p.repeat(t.horizon, 1, 1, 1)
        policy = FixedDynamics().build(model).policy
        return TabularGuide(model, policy, t.initial.log(), log_p)
