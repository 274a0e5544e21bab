"""The guide that plans without looking: whole action sequences in the world as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import spaces
from torch import nn

from ppl_control.guides.continuous_plan import ContinuousPlanGuide
from ppl_control.guides.copies import trainable_copy
from ppl_control.guides.defaults import require_dynamics
from ppl_control.guides.plan_guide import PlanGuide
from ppl_control.guides.plans.auto import AutoPlan
from ppl_control.guides.plans.feasible import feasible_logits
from ppl_control.guides.plans.flow import FlowPlan
from ppl_control.guides.plans.gaussian import GaussianPlan
from ppl_control.guides.plans.independent import IndependentPlan
from ppl_control.guides.plans.joint import JointPlan
from ppl_control.mdp.continuous import is_bounded
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["OpenLoop"]

JOINT = 4096  # most action sequences that are all held by default
DISCRETE, CONTINUOUS = ("joint", "independent"), ("gaussian", "independent", "flow")


@dataclass(frozen=True)
class OpenLoop:
    """q(τ) = q(a_0 … a_{T−1}) p(s₀) ∏ p(s_{t+1}|s_t,a_t): nothing is seen before acting.

    Its optimum is open-loop control: where nothing ends early, q ∝ π0 exp(E[R|a]/α), whose mode is the plan of
    best expected return. In tables only actions that are used count; in continuous worlds that may end early the
    whole plan does, also what comes after the end, which costs some of the bound.

    Args:
        plan: the family of q. None: for finite actions ``"joint"`` (every sequence its own probability) up to
            4,096 sequences, else ``"independent"`` (∏ q_t(a_t)); for vectors ``"gaussian"`` (one covariance over
            all T·m numbers, squashed into the bounds where there are any). Or ``"flow"`` (a normalising flow),
            a plan module of your own (see below), or a Pyro autoguide such as
            ``pyro.infer.autoguide.AutoMultivariateNormal``. A recipe: fitting copies it.

    Raises:
        ValueError: an unknown name; at ``build``, a family that does not fit the model.

    Note:
        A plan of finite actions of your own is a module with ``horizon``, ``num_actions``, ``forward()``, whose
        ``sample([n])`` draws whole sequences [n, T], and ``conditional(t, past)``, which is q(a_t | a_0 … a_{t−1}).
        It is fitted and judged by sampling.
    """

    plan: str | nn.Module | Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        named = (*DISCRETE, *CONTINUOUS)
        known = self.plan is None or self.plan in named if isinstance(self.plan, str | None) else callable(self.plan)
        if not known:
            raise ValueError(f"plan: expected one of {sorted(set(named))}, a module or an autoguide, got {self.plan!r}")

    def build(self, model: TrajectoryModel) -> PlanGuide | ContinuousPlanGuide:
        """The guide bound to a model.

        Raises:
            ValueError: no horizon, too many sequences, or a family for another kind of actions.
        """
        require_dynamics(self, model)
        if model.horizon is None:
            raise ValueError("horizon: a plan needs one; got None")
        bound = ContinuousPlanGuide if model.is_continuous else PlanGuide
        if isinstance(self.plan, nn.Module):
            return bound(model, trainable_copy(self.plan))
        if model.is_continuous and isinstance(model.mdp.action_space, spaces.Box):
            return bound(model, self._continuous(model))
        if not isinstance(self.plan, str | None):
            raise ValueError(f"plan: autoguides serve actions that are vectors, got finite ones; use {DISCRETE}")
        return bound(model, self._discrete(model))

    def _continuous(self, model: TrajectoryModel) -> nn.Module:
        space, horizon, dtype = model.mdp.action_space, model.horizon, model.mdp.dtype
        assert horizon is not None
        low, high = (space.low.tolist(), space.high.tolist()) if is_bounded(space) else (None, None)
        size = space.shape[0]
        if self.plan == "flow":
            return FlowPlan(horizon, size, low=low, high=high, dtype=dtype)
        if self.plan in (None, "gaussian", "independent"):
            return GaussianPlan(horizon, size, low=low, high=high, correlated=self.plan != "independent", dtype=dtype)
        if isinstance(self.plan, str):
            raise ValueError(f"plan: {self.plan!r} is for finite actions; use one of {list(CONTINUOUS)}")
        assert self.plan is not None
        return AutoPlan(self.plan, horizon, size, low=low, high=high, dtype=dtype)

    def _discrete(self, model: TrajectoryModel) -> nn.Module:
        horizon = model.horizon
        assert horizon is not None
        if self.plan not in (None, *DISCRETE):
            raise ValueError(f"plan: {self.plan!r} is for actions that are vectors; use one of {list(DISCRETE)}")
        num_actions = count_actions(model)
        if self.plan == "joint" or (self.plan is None and num_actions**horizon <= JOINT):
            return JointPlan(num_actions, horizon, torch.float64 if model.mdp is None else model.mdp.dtype)
        if model.is_tabular:
            return IndependentPlan(feasible_logits(model.tables))
        return IndependentPlan(torch.zeros(horizon, num_actions, dtype=torch.float64))


def count_actions(model: TrajectoryModel) -> int:
    """A of a model with finitely many actions.

    Raises:
        ValueError: a program whose actions are not finite or differ in size.
    """
    if model.is_tabular:
        return model.tables.num_actions
    if model.is_continuous:
        return int(model.mdp.action_space.n)
    sizes = {s.cardinality for s in model.program.sites.values() if s.role == "action" and not s.observed}
    if None in sizes or len(sizes) != 1:
        raise ValueError("plan: the program's actions are not finite or differ in size; pass a guide of your own")
    return sizes.pop()
