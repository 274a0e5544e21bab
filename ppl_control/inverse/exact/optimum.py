"""Climbing an objective to its optimum with SciPy: Newton in a trust region, or L-BFGS where there is no Hessian."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppl_control.interruption import interruptible

__all__ = ["Ascent", "ascend"]


@dataclass(frozen=True, eq=False)
class Ascent:
    """Where an ascent ended.

    Attributes:
        place: ψ, [P].
        value: of the objective there.
        slope: the largest entry of its gradient.
        converged: whether the slope is within the tolerance.
        evaluations: of value and gradient.
        values: of the objective after each step.
        finished: False where Ctrl-C ended the ascent.
    """

    place: np.ndarray
    value: float
    slope: float
    converged: bool
    evaluations: int
    values: tuple[float, ...]
    finished: bool = True


def ascend(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    *,
    hessian: Callable[[np.ndarray], np.ndarray] | None,
    tolerance: float,
    steps: int,
    watch: Callable[[np.ndarray], None] = lambda place: None,
) -> Ascent:
    """Maximise a function; Ctrl-C ends the ascent after the step in flight.

    Args:
        function: ψ → value and gradient; −∞ where it is not defined.
        start: ψ, [P].
        hessian: ψ → [P, P]; None: the curvature is learned on the way (L-BFGS).
        tolerance: of the largest entry of the gradient.
        steps: at most.
        watch: called with ψ after each step; what it raises ends the ascent.

    References:
        Nocedal and Wright (2006), sections 4.3 and 7.2.
    """
    from scipy.optimize import minimize  # a third of a second that only fits should take

    seen: dict[bytes, tuple[float, np.ndarray]] = {}
    values: list[float] = []

    def descent(place: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = function(place)
        seen[place.tobytes()] = value, slope
        return -value, -slope

    def after(place: np.ndarray) -> None:
        values.append(seen[place.tobytes()][0] if place.tobytes() in seen else np.nan)
        watch(place)
        if interrupted():
            raise StopIteration  # SciPy's word for: it is enough

    settings: dict[str, Any] = {"jac": True, "callback": after}
    with interruptible() as interrupted:
        if hessian is not None:
            options = {"gtol": tolerance, "maxiter": steps, "max_trust_radius": 1e6, "initial_trust_radius": 10.0}
            settings |= {"method": "trust-exact", "hess": lambda x: -hessian(x)}
            found = minimize(descent, start, options=options, **settings)
            if not interrupted():
                found = _polished(found, descent, hessian, tolerance)
        else:
            options = {"gtol": tolerance, "ftol": 0.0, "maxiter": steps, "maxfun": 20 * steps, "maxcor": 30}
            found = minimize(descent, start, method="L-BFGS-B", options=options, **settings)
        steepest = float(np.abs(found.jac).max())
        arrived = steepest <= tolerance
        return Ascent(
            place=found.x,
            value=-float(found.fun),
            slope=steepest,
            converged=arrived,
            evaluations=int(found.nfev),
            values=tuple(values),
            finished=arrived or not interrupted(),
        )


def _polished(found: Any, descent: Callable[..., Any], hessian: Callable[..., Any], tolerance: float) -> Any:
    """Newton's last steps, judged by the gradient: the value, a difference of large numbers, has no digits left."""
    while np.abs(found.jac).max() > tolerance:
        step = np.linalg.lstsq(hessian(found.x), found.jac, rcond=None)[0]
        value, slope = descent(found.x + step)
        if not np.abs(slope).max() < 0.5 * np.abs(found.jac).max() or value > found.fun + 1e-9 * (1 + abs(found.fun)):
            break
        found.x, found.fun, found.jac, found.nfev = found.x + step, value, slope, found.nfev + 1
    return found
