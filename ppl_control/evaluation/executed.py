"""What a policy or a plan gets where it is carried out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ppl_control.evaluation.believed import has_exact_walk, linear_gaussian_walk, plan_walk
from ppl_control.evaluation.programs import simulated
from ppl_control.evaluation.walk import NOTHING, Walk, from_episodes, from_rollout, from_runs
from ppl_control.evaluation.walk import from_tables as exact
from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.guides.map import MAPGuide
from ppl_control.guides.particles import ParticleGuide
from ppl_control.guides.plan_guide import NoPolicy, PlanGuide
from ppl_control.guides.plans.joint import JointPlan
from ppl_control.guides.program import ProgramGuide
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.open_loop import make_tree, tree_mode
from ppl_control.inference.exact.plan_walks import plan_returns
from ppl_control.policies.deterministic import Deterministic
from ppl_control.trajectory.acting import act_by_plan
from ppl_control.trajectory.continuous_rollout import roll_out
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.policy_rollout import policy_returns

__all__ = ["executed_walk", "policy_walk"]


def executed_walk(solution: Solution, model: TrajectoryModel, episodes: int, deterministic: bool) -> Walk:
    """Trajectories of the solution's policy, or of its plans, in a model; exact where they can be."""
    if solution.policy is None:
        return NOTHING
    if isinstance(solution.policy, NoPolicy):
        return _planned(solution.guide, model, episodes, deterministic)
    return policy_walk(solution.policy, model, episodes, deterministic)


def policy_walk(policy: nn.Module, model: TrajectoryModel, episodes: int, deterministic: bool) -> Walk:
    """Trajectories of a policy, or of its mode, in a model; exact where they can be, else from torch's stream."""
    few: int = min(episodes, getattr(policy, "episodes", episodes))  # type: ignore[assignment] # of one that plans anew
    policy = Deterministic(policy) if deterministic else policy
    if model.is_simulator:
        here = policy if getattr(policy, "replans", False) else deepcopy(policy).to(model.mdp.device)
        return from_episodes(SimulatorGuide(model, here).episodes(few))
    if getattr(policy, "replans", False):
        if model.is_tabular:  # where plans are kept for every state
            return from_runs(policy_returns(model, policy, episodes))
        return from_rollout(ContinuousGuide(model, policy).rollout(few))
    if model.is_tabular:
        here = deepcopy(policy).to(model.tables.initial.device)  # it may have been fitted elsewhere
        return exact(model.tables, TabularGuide(model, here).tables())
    if model.is_continuous:
        return _executed_continuous(model, policy, episodes)
    return simulated(model, ProgramGuide(model, policy, learn_dynamics=False), episodes)


def _executed_continuous(model: TrajectoryModel, policy: nn.Module, episodes: int) -> Walk:
    guide = ContinuousGuide(model, policy)
    return linear_gaussian_walk(guide) or from_rollout(guide.rollout(episodes))


def _planned(guide: Any, model: TrajectoryModel, episodes: int, deterministic: bool) -> Walk:
    if deterministic:
        plans = _mode(guide)[None]
    elif isinstance(guide, PlanGuide) and has_exact_walk(model, guide):
        return plan_walk(model, guide)
    else:
        plans = guide.sample_plan(episodes)
    if model.is_tabular:
        returns = plan_returns(model.tables, plans)
        found = from_runs(returns)
        certain = deterministic or isinstance(guide, MAPGuide)
        return Walk(found.value, 0.0 if len(plans) == 1 else found.stderr, 0.0 if certain else found.entropy)
    if model.is_continuous:
        if model.horizon != plans.shape[1]:
            raise ValueError(f"horizon: the plan has {plans.shape[1]} actions, the model's horizon is {model.horizon}")
        if deterministic:
            plans = plans.expand(episodes, *plans.shape[1:])
        return from_runs(roll_out(model, act_by_plan(plans), episodes).reward.sum(0))
    if not isinstance(guide, PlanGuide) or deterministic:
        raise ValueError("model: plans are carried out in programs as they were fitted, not their mode")
    return simulated(model, PlanGuide(model, guide.plan), episodes)


def _mode(guide: Any) -> Tensor:
    """The likeliest plan, where the family knows it; of particles the heaviest one's."""
    if isinstance(guide, ParticleGuide):
        return guide.actions[guide.log_weights.argmax()]
    plan = getattr(guide, "plan", None)
    if plan is None:
        return guide.sample_plan(1)[0]  # one trajectory
    if isinstance(plan, JointPlan) and guide.model.is_tabular:
        return tree_mode(make_tree(guide.model.tables), plan.levels())  # what nobody lives to do does not count
    try:
        return torch.as_tensor(plan().mode)
    except (AttributeError, NotImplementedError) as error:
        raise ValueError(f"deterministic: {type(plan).__name__} has no mode") from error
