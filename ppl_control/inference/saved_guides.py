"""Bound guides as plain values and tensors, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.guides.continuous_map import ContinuousMAPGuide
from ppl_control.guides.continuous_mean_field import ContinuousMeanFieldGuide
from ppl_control.guides.continuous_plan import ContinuousPlanGuide
from ppl_control.guides.map import MAPGuide, TablePath
from ppl_control.guides.mean_field import Beliefs, MeanFieldGuide
from ppl_control.guides.particles import ParticleGuide
from ppl_control.guides.plan_guide import NoPolicy, PlanGuide
from ppl_control.guides.program import ProgramGuide
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.described import describe, rebuild
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["describe_guide", "rebuild_guide"]

PARTICLES = ("states", "actions", "rewards", "alive", "log_weights")


def describe_guide(guide: Any) -> dict[str, Any]:
    """A guide as plain values.

    Raises:
        ValueError: a guide, policy or plan of your own, or one that plans anew at every step.
    """
    for kind, (parts, _) in KINDS.items():
        if type(guide) is kind:
            return {"kind": kind.__name__, **parts(guide)}
    raise ValueError(f"guide: a {type(guide).__name__} cannot be saved; save its state_dict() yourself")


def rebuild_guide(model: TrajectoryModel, kept: dict[str, Any]) -> Any:
    """The guide that ``describe_guide`` described, bound to a model."""
    for kind, (_, make) in KINDS.items():
        if kind.__name__ == kept["kind"]:
            return make(model, kept)
    raise ValueError(f"guide: unknown kind {kept['kind']!r}")


def _policy(guide: Any) -> dict[str, Any] | None:
    return None if isinstance(guide.policy, NoPolicy) else describe(guide.policy, "policy")


def _program(model: TrajectoryModel, kept: dict[str, Any]) -> ProgramGuide:
    guide = ProgramGuide(model, rebuild(kept["policy"]), learn_dynamics=bool(kept["tilts"]))
    guide.load_state_dict({f"tilts.{name}": tilt for name, tilt in kept["tilts"].items()}, strict=False)
    return guide


def _with_state(kind: Any) -> Callable[[TrajectoryModel, dict[str, Any]], nn.Module]:
    def make(model: TrajectoryModel, kept: dict[str, Any]) -> nn.Module:
        guide = kind(model)
        guide.load_state_dict(kept["state"])
        return guide

    return make


def _particles(model: TrajectoryModel, kept: dict[str, Any]) -> ParticleGuide:
    columns = {name: kept[name] for name in PARTICLES}
    guide = ParticleGuide(model, rebuild(kept["policy"]), groups=kept["groups"], **columns)
    guide.log_weights.copy_(kept["log_weights"])  # normalising anew would round anew
    return guide


def _tabular(model: TrajectoryModel, kept: dict[str, Any]) -> TabularGuide:
    return TabularGuide(model, rebuild(kept["policy"]), kept["initial"], kept["outcomes"])


# kind → what is kept of it, and how it is made again
KINDS: dict[Any, tuple[Callable[[Any], dict[str, Any]], Callable[[TrajectoryModel, dict[str, Any]], Any]]] = {
    TabularGuide: (
        lambda g: {"policy": _policy(g), "initial": g.initial_logits, "outcomes": g.outcome_logits},
        _tabular,
    ),
    ProgramGuide: (lambda g: {"policy": _policy(g), "tilts": dict(g.tilts.items())}, _program),
    ContinuousGuide: (
        lambda g: {"policy": _policy(g), "believed": describe(g.believed, "believed")},
        lambda model, kept: ContinuousGuide(model, rebuild(kept["policy"]), rebuild(kept["believed"])),
    ),
    SimulatorGuide: (
        lambda g: {"policy": _policy(g)},
        lambda model, kept: SimulatorGuide(model, rebuild(kept["policy"])),
    ),
    PlanGuide: (
        lambda g: {"plan": describe(g.plan, "plan")},
        lambda model, kept: PlanGuide(model, rebuild(kept["plan"])),
    ),
    ContinuousPlanGuide: (
        lambda g: {"plan": describe(g.plan, "plan")},
        lambda model, kept: ContinuousPlanGuide(model, rebuild(kept["plan"])),
    ),
    MeanFieldGuide: (
        lambda g: {"states": g.state_logits, "actions": g.policy.plan.logits},
        lambda model, kept: MeanFieldGuide(model, Beliefs(kept["states"], kept["actions"])),
    ),
    MAPGuide: (
        lambda g: {"states": g.states, "actions": g.actions, "outcomes": g.outcomes},
        lambda model, kept: MAPGuide(model, TablePath(kept["states"], kept["actions"], kept["outcomes"])),
    ),
    ContinuousMeanFieldGuide: (lambda g: {"state": g.state_dict()}, _with_state(ContinuousMeanFieldGuide)),
    ContinuousMAPGuide: (lambda g: {"state": g.state_dict()}, _with_state(ContinuousMAPGuide)),
    ParticleGuide: (
        lambda g: {"policy": _policy(g), "groups": g.groups} | {name: getattr(g, name) for name in PARTICLES},
        _particles,
    ),
}
