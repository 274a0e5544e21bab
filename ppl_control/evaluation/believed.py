"""What a guide expects of its own trajectories."""

from __future__ import annotations

from ppl_control.evaluation.programs import simulated
from ppl_control.evaluation.walk import NOTHING, Walk, from_episodes, from_rollout, from_tables
from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.guides.map import MAPGuide
from ppl_control.guides.mean_field import MeanFieldGuide
from ppl_control.guides.particles import ParticleGuide
from ppl_control.guides.plan_guide import PlanGuide
from ppl_control.guides.plans.independent import IndependentPlan
from ppl_control.guides.plans.joint import JointPlan
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact import mean_field, moments
from ppl_control.inference.exact.blind import blind_walk
from ppl_control.inference.exact.plan_walks import joint_walk
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import LinearGaussianPolicy, tabulate_linear_gaussian
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["believed_walk", "has_exact_walk", "linear_gaussian_walk", "plan_walk"]


def believed_walk(solution: Solution, episodes: int) -> Walk:
    """Trajectories under q, in the model it was fitted to; exact where they can be."""
    guide = solution.guide
    if guide.model.horizon != solution.model.horizon:
        return NOTHING  # what a plan that looks less far ahead believes of the whole is not known
    if isinstance(guide, ParticleGuide):
        return Walk(guide.believed_return, guide.believed_return_stderr, float("nan"))
    if isinstance(guide, TabularGuide | MAPGuide):
        return from_tables(guide.model.tables, guide.tables())
    if isinstance(guide, MeanFieldGuide):
        found = mean_field.believed(guide.model.tables, guide.beliefs())
        return Walk(found.expected_return, 0.0, found.entropy, found.states[:, :-1])
    if isinstance(guide, PlanGuide) and has_exact_walk(guide.model, guide):
        return plan_walk(guide.model, guide)
    if isinstance(guide, ContinuousGuide):
        exact = linear_gaussian_walk(guide)
        if exact is not None:
            return exact
    if isinstance(guide, SimulatorGuide):
        return from_episodes(guide.episodes(episodes))
    if guide.model.is_continuous and hasattr(guide, "rollout"):
        return from_rollout(guide.rollout(episodes))  # type: ignore[operator]
    return simulated(solution.model, guide, episodes)


def has_exact_walk(model: TrajectoryModel, guide: PlanGuide) -> bool:
    """Whether ``plan_walk`` serves: tables, and one of the plans that can be enumerated there."""
    return model.is_tabular and isinstance(guide.plan, JointPlan | IndependentPlan)


def plan_walk(model: TrajectoryModel, guide: PlanGuide) -> Walk:
    """A plan of finite actions carried out in a tabular model, exactly."""
    plan = guide.plan
    if isinstance(plan, JointPlan):
        walk = joint_walk(model.tables, plan.levels())
    else:
        walk = blind_walk(model.tables, plan.log_table())  # type: ignore[operator]
    return Walk(walk.expected_return, 0.0, walk.entropy, walk.states[:, :-1])


def linear_gaussian_walk(guide: ContinuousGuide) -> Walk | None:
    """Exact moments where everything is linear-Gaussian; else None."""
    model, mdp = guide.model, guide.model.mdp
    believed = guide.believed
    if not (isinstance(mdp, LinearGaussianMDP) and isinstance(guide.policy, LinearGaussianPolicy)):
        return None
    if not (believed is None or isinstance(believed, AffineGaussianDynamics)):
        return None
    assert model.horizon is not None
    policy = tabulate_linear_gaussian(guide.policy, mdp.state_dim, mdp.action_dim, model.horizon)
    dynamics = AffineGaussianDynamics.of(mdp, model.horizon) if believed is None else believed
    found = moments.moments(dynamics, policy)
    value = float(moments.expected_return(mdp, found, model.discount))
    return Walk(value, 0.0, float(moments.entropy(policy, model.discount)))
