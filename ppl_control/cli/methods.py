"""Methods by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ppl_control.guides import MAP, FixedDynamics, MeanField, OpenLoop, Unconstrained
from ppl_control.inference import (
    SVI,
    DivergenceError,
    MessagePassing,
    ParticlePlanning,
    RecedingHorizon,
    SoftValueIteration,
    infer,
)
from ppl_control.inference.contracts import ExactMethod
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["DEFAULTS", "METHODS", "WITH_VALUES", "choose", "defaults", "reason_against", "shortened"]

COLD = 0.01  # reward units per nat, where little but the expected return counts

METHODS: dict[str, Any] = {
    "posterior": MessagePassing(),
    "soft_value_iteration": SoftValueIteration(),
    "fixed_dynamics": SVI(FixedDynamics()),
    "unconstrained": SVI(Unconstrained()),
    "fixed_dynamics_score": SVI(FixedDynamics(), estimator="score"),
    "fixed_dynamics_adam": SVI(FixedDynamics(), optimizer="adam"),
    "best_return": SVI(FixedDynamics(), final_temperature=COLD),
    "open_loop": SVI(OpenLoop()),
    "open_loop_flow": SVI(OpenLoop("flow"), learning_rate=0.01),
    "mean_field": SVI(MeanField()),
    "map": SVI(MAP()),
    "particles": ParticlePlanning(4096),
    "particles_lookahead": ParticlePlanning(4096, lookahead="posterior"),
    "receding_horizon": RecedingHorizon(SVI(OpenLoop(), steps=100, particles=64)),
}
WITH_VALUES = (  # of the states, which `solve` shows
    "posterior",
    "soft_value_iteration",
    "fixed_dynamics",
    "unconstrained",
    "fixed_dynamics_score",
    "fixed_dynamics_adam",
    "best_return",
)
DEFAULTS = ("posterior", "soft_value_iteration", "fixed_dynamics", "unconstrained")
SHORT = {"fixed": "fixed_dynamics"}


def choose(names: Sequence[str]) -> dict[str, Any]:
    """Name → method.

    Raises:
        ValueError: an unknown name.
    """
    full = [SHORT.get(name, name) for name in names]
    for name in full:
        if name not in METHODS:
            raise ValueError(f"--methods: {name!r} is no method; there are {', '.join(METHODS)}")
    return {name: METHODS[name] for name in full}


def defaults(model: TrajectoryModel) -> tuple[str, ...]:
    """What is compared where nobody says; in continuous worlds also a plan."""
    return (*DEFAULTS, "open_loop") if model.is_continuous else DEFAULTS


def shortened(method: Any, steps: int) -> Any:
    """A method that is fitted step by step, or plans with one that is, with this many steps; others as they are."""
    if isinstance(method, RecedingHorizon):
        return replace(method, method=shortened(method.method, steps))
    return replace(method, steps=steps) if isinstance(method, SVI) else method


def reason_against(method: Any, model: TrajectoryModel) -> str | None:
    """Why a method cannot serve a model; None where it can.

    Without a horizon exact methods are asked for their answer, since a fixed point need not exist; the optimum of
    the unconstrained guide is the posterior's.
    """
    try:
        method.check(model)
        if model.horizon is None:
            exact = MessagePassing() if isinstance(getattr(method, "guide", None), Unconstrained) else method
            if isinstance(exact, ExactMethod):
                infer(model, exact, progress=False)
    except (ValueError, DivergenceError) as error:
        return str(error)
    return None
