"""Open-loop guides in continuous worlds: a plan made without seeing the states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyro
import torch
from pyro.distributions import Delta
from torch import Tensor, nn

from ppl_control.guides.plan_guide import NoPolicy, check_plan
from ppl_control.guides.plans.messenger import PlanMessenger
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.acting import act_by_plan, check_support
from ppl_control.trajectory.continuous_rollout import ContinuousRollout, roll_out
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["ContinuousPlanGuide"]


class ContinuousPlanGuide(nn.Module):
    """q(τ) = q(a_0 … a_{T−1}) p(s₀) ∏ p(s_{t+1}|s_t,a_t): actions from one plan, true dynamics.

    The whole plan counts, also what comes after an early end; that bounds the evidence where the prior is
    normalised. Calling it runs the guide in Pyro; a plan of vectors is drawn at an auxiliary site ``plan``.

    Args:
        model: a continuous model.
        plan: the plan, used as it is (a recipe copies it first).

    Raises:
        ValueError: a plan of another size; trajectories that may end early under the base measure.
    """

    fixes_dynamics = True

    def __init__(self, model: TrajectoryModel, plan: nn.Module) -> None:
        super().__init__()
        check_plan(model, plan)
        if model.prior.is_base and (model.mdp.may_end or model.discount < 1):
            raise ValueError(
                "action_prior: a whole plan has no density under the base measure where trajectories may end early "
                "(done or a discount); use 'uniform' or a Gaussian prior, or a guide that sees the state"
            )
        self.model, self.plan, self.policy = model, plan, NoPolicy()
        with RandomStream(0), torch.no_grad():
            if not hasattr(plan, "draw"):
                check_support(model, plan(), "plan")
            self.rollout(2)

    def draw(self, n: int, reparameterised: bool = False) -> tuple[Tensor, Tensor]:
        """N plans [n, T] or [n, T, m] and their log-densities [n], nats."""
        if hasattr(self.plan, "draw"):
            plan, log_q = self.plan.draw(n)  # type: ignore[operator]
            return (plan, log_q) if reparameterised else (plan.detach(), log_q)
        q = self.plan()
        plan = q.rsample((n,)) if reparameterised else q.sample((n,))
        return plan, q.log_prob(plan)

    def rollout(self, n: int, reparameterised: bool = False) -> ContinuousRollout:
        """N plans carried out; their log-density stands at the first step, in ``choice`` and ``log_q``."""
        plan, log_q = self.draw(n, reparameterised)
        learned = [plan] if plan.requires_grad else []
        found = roll_out(self.model, act_by_plan(plan), n, reparameterised=reparameterised, learned=learned)
        prior = self.model.prior
        places = zip(found.states[:-1], found.actions, strict=True)
        choice = torch.stack([prior.log_prob(state, action, t) for t, (state, action) in enumerate(places)])
        first = torch.zeros_like(choice)
        first[0] = 1.0
        return replace(found, choice=choice - first * log_q, log_q=first * log_q)

    @torch.no_grad()
    def sample_plan(self, n: int) -> Tensor:
        """N plans [n, T] or [n, T, m] from torch's current random stream."""
        return self.draw(n)[0]

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        program = self.model.program
        if hasattr(self.plan, "conditional"):
            with PlanMessenger(program, self.plan.conditional):  # type: ignore[arg-type]
                return program()
        if hasattr(self.plan, "draw"):
            raise ValueError("estimator: an autoguide has no place in the per-site program; use 'reparameterised'")
        if self.model.mdp.may_end or self.model.discount < 1:
            raise ValueError(
                "estimator: in Pyro a plan of vectors is drawn whole, which is no bound where trajectories may end "
                "early (done or a discount); use 'reparameterised' or 'score'"
            )
        plan = pyro.sample("plan", self.plan(), infer={"is_auxiliary": True})

        def conditional(t: int, past: Any) -> Any:
            return Delta(plan[..., t, :], event_dim=1)

        with PlanMessenger(program, conditional):
            return program()
