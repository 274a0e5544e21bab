"""The guide that may believe anything possible: it wills the dynamics as well as the actions."""

from __future__ import annotations

from dataclasses import dataclass

from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.guides.defaults import default_policy, require_dynamics
from ppl_control.guides.program import ProgramGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.guides.tilt import tilt_for
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Unconstrained"]


@dataclass(frozen=True)
class Unconstrained:
    """q(τ) = q(s₀) ∏ q(a_t|s_t) q(s_{t+1}|s_t,a_t,t), everything learned from the model's own as start.

    Its optimum is the exact posterior, which explains success by luck. No mass is put where p is 0. In a
    continuous model luck is the Gaussian noise, which the guide shifts and scales (so only independent axes of
    noise are believed in); survival under a discount stays as it is there, so that with one the posterior itself is
    out of reach.

    References:
        Levine (2018), arXiv 1805.00909, section 2.4 and 3.1.
    """

    def build(self, model: TrajectoryModel) -> TabularGuide | ContinuousGuide | ProgramGuide:
        """The guide bound to a model.

        Raises:
            ValueError: noise of a continuous model that is not Gaussian.
        """
        require_dynamics(self, model)
        policy = default_policy(model)
        if model.is_continuous:
            return ContinuousGuide(model, policy, tilt_for(model))
        if not model.is_tabular:
            return ProgramGuide(model, policy, learn_dynamics=True)
        t = model.tables
        log_p = t.log_p if t.horizon is None else t.log_p.repeat(t.horizon, 1, 1, 1)
        return TabularGuide(model, policy, t.initial.log(), log_p)
