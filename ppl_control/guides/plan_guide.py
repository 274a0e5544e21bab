"""Open-loop guides: a plan made without seeing the states, in the world as it is."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.guides.plans.messenger import PlanMessenger
from ppl_control.guides.tabular import TabularGuide
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["NoPolicy", "PlanGuide", "check_plan"]


class NoPolicy(nn.Module):
    """Stands where a policy would, for solutions that are plans."""

    def forward(self, state: Any, t: Any = None) -> Any:
        """Raise a ValueError that says what to use instead."""
        raise ValueError(
            "policy: a plan has none, and its marginals q(a_t) are another policy; "
            "draw whole action sequences with sample_plan"
        )


class PlanGuide(nn.Module):
    """q(τ) = q(a_0 … a_{T−1}) p(s₀) ∏ p(s_{t+1}|s_t,a_t): actions from one plan, true dynamics.

    Calling it runs the guide as a per-site Pyro program: each action is drawn given those before it.

    Args:
        model: the model; it needs a horizon.
        plan: the plan, used as it is (a recipe copies it first).

    Raises:
        ValueError: a plan of another size than the model's.
    """

    fixes_dynamics = True

    def __init__(self, model: TrajectoryModel, plan: nn.Module) -> None:
        super().__init__()
        check_plan(model, plan)
        self.model = model
        self.plan = plan
        self.policy = NoPolicy()

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        conditional: Any = self.plan.conditional
        with PlanMessenger(self.model.program, conditional):
            return self.model.program()

    @torch.no_grad()
    def sample_plan(self, n: int) -> Tensor:
        """Draw n action sequences [n, T] from torch's current random stream."""
        return self.plan().sample([n])

    @property
    def initial(self) -> Float[Tensor, " S"]:
        """p(s₀), the model's own; tabular models only."""
        return self._world().initial

    @property
    def transition(self) -> Float[Tensor, "T S A S"]:
        """p(s'|s,a), the model's own, index order [t, s, a, s']; tabular models only."""
        return self._world().transition

    def _world(self) -> TabularGuide:
        tables = self.model.tables
        return TabularGuide(self.model, TabularPolicy.uniform(tables.num_states, tables.num_actions))


def check_plan(model: TrajectoryModel, plan: Any) -> None:
    """Raise a ValueError where a plan does not fit a model."""
    if model.horizon is None:
        raise ValueError("horizon: a plan needs one; got None")
    if getattr(plan, "horizon", None) != model.horizon:
        raise ValueError(f"plan: its horizon is {getattr(plan, 'horizon', None)}, the model's {model.horizon}")
    if model.is_tabular and getattr(plan, "num_actions", None) != model.tables.num_actions:
        raise ValueError(
            f"plan: it has {getattr(plan, 'num_actions', 'no')} actions to choose from, "
            f"the model {model.tables.num_actions}"
        )
