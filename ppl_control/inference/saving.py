"""Solutions on disk: tensors and plain values only, so that opening one never runs code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from ppl_control.files import file_path
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.quadratic_value import QuadraticValue
from ppl_control.inference.saved_guides import describe_guide, rebuild_guide
from ppl_control.inference.stored import read_values, write_values
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["load", "save"]

FORMAT = "ppl_control.Solution/3"
NUMBERS = {
    "log_evidence_bound": float,
    "exact": bool,
    "temperature": float,
    "log_evidence_bound_stderr": float,
    "error_bound": float,
    "finished": bool,
}
PARTS = {"model": str, "fingerprint": str, "method": str, "numbers": dict, "history": dict, "guide": dict}
VALUES = ("soft_value", "soft_q")


def save(solution: Solution, path: str | Path) -> None:
    """Write a solution; the model is not written, only its description.

    Raises:
        ValueError: a guide, policy or plan of your own, or a policy that plans anew at every step.
    """
    if solution.policy is not solution.guide.policy:
        raise ValueError("policy: one that plans anew at every step is not saved; save the settings it plans with")
    path, value = file_path("path", path), solution.soft_value
    kept: dict[str, Any] = {
        "model": repr(solution.model),
        "fingerprint": solution.model.fingerprint,
        "method": solution.method if isinstance(solution.method, str) else repr(solution.method),
        "numbers": {name: kind(getattr(solution, name)) for name, kind in NUMBERS.items()},
        "history": {name: [float(x) for x in values] for name, values in solution.history.items()},
        "soft_value": value.__dict__ if isinstance(value, QuadraticValue) else value,
        "soft_q": solution.soft_q,
        "guide": describe_guide(solution.guide),
    }
    write_values(path, FORMAT, kept)


def load(path: str | Path, model: TrajectoryModel) -> Solution:
    """Read a solution that ``Solution.save`` wrote, for the model it was fitted to.

    Whatever the file holds, nothing in it is run.

    Args:
        path: of the file.
        model: the one it was fitted to; what makes it up is not in the file.

    Raises:
        ValueError: the file is no solution, was damaged, or belongs to another model.
        FileNotFoundError: there is none.
    """
    try:
        kept = read_values(path, FORMAT)
        _require_parts(kept)
    except ValueError as error:
        raise ValueError(f"path: {path} is no saved solution of ppl_control: {error}") from error
    if kept["fingerprint"] != model.fingerprint:
        raise ValueError(f"model: {path} was fitted to {kept['model'][:300]}, not to {model!r}")
    reached = kept["numbers"]["temperature"]  # a simulator's guide refers to it, where it was learned
    try:
        fitted = model.replaced(temperature=reached) if model.is_simulator and reached != model.temperature else model
        guide, value = rebuild_guide(fitted, kept["guide"]), kept["soft_value"]
        return Solution(
            model=model,
            method=kept["method"],
            policy=guide.policy,
            guide=guide,
            soft_value=QuadraticValue(**value) if isinstance(value, dict) else value,
            soft_q=kept["soft_q"],
            history={name: tuple(values) for name, values in kept["history"].items()},
            **kept["numbers"],
        )
    except Exception as error:  # what a guide is made of is checked by what makes it
        said = " ".join(str(error).split())[:300]
        raise ValueError(f"path: {path} holds no guide of this model: {type(error).__name__}: {said}") from error


def _require_parts(kept: Any) -> None:
    """Raise a ValueError where something is missing, or of another type."""
    if not isinstance(kept, dict) or kept.keys() != PARTS.keys() | set(VALUES):
        raise ValueError("its parts are not those of a solution")
    for name, kind in PARTS.items():
        if not isinstance(kept[name], kind):
            raise ValueError(f"{name} is a {type(kept[name]).__name__}, expected a {kind.__name__}")
    if kept["numbers"].keys() != NUMBERS.keys():
        raise ValueError(f"its numbers are not {list(NUMBERS)}")
    for name, kind in NUMBERS.items():
        if type(kept["numbers"][name]) is not kind:
            raise ValueError(f"{name} is a {type(kept['numbers'][name]).__name__}, expected a {kind.__name__}")
    for name in VALUES:
        if not (kept[name] is None or isinstance(kept[name], Tensor | dict)):
            raise ValueError(f"{name} is a {type(kept[name]).__name__}, expected a tensor")
    for name, column in kept["history"].items():
        if not isinstance(name, str) or not isinstance(column, list) or not all(type(x) is float for x in column):
            raise ValueError("its history is none of numbers")
