"""Methods by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.inference import SVI, DivergenceError, MessagePassing, SoftValueIteration, infer
from ppl_control.inference.base import ExactMethod
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["DEFAULTS", "METHODS", "choose", "reason_against"]

METHODS: dict[str, Any] = {
    "posterior": MessagePassing(),
    "soft_value_iteration": SoftValueIteration(),
    "fixed_dynamics": SVI(FixedDynamics()),
    "unconstrained": SVI(Unconstrained()),
    "fixed_dynamics_score": SVI(FixedDynamics(), estimator="score"),
    "fixed_dynamics_adam": SVI(FixedDynamics(), optimizer="adam"),
}
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
