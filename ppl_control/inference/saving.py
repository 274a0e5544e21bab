"""Solutions on disk: tensors and plain values only, so that opening one never runs code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ppl_control.files import whole_file
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.quadratic_value import QuadraticValue
from ppl_control.inference.saved_guides import describe_guide, rebuild_guide
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["load", "save"]

FORMAT = "ppl_control.Solution/2"
NUMBERS = ("log_evidence_bound", "exact", "temperature", "log_evidence_bound_stderr", "error_bound")


def save(solution: Solution, path: str | Path) -> None:
    """Write a solution; the model is not written, only its description.

    Raises:
        ValueError: a guide, policy or plan of your own, or a policy that plans anew at every step.
    """
    if solution.policy is not solution.guide.policy:
        raise ValueError("policy: one that plans anew at every step is not saved; save the settings it plans with")
    value = solution.soft_value
    kept: dict[str, Any] = {
        "format": FORMAT,
        "model": repr(solution.model),
        "fingerprint": solution.model.fingerprint,
        "method": solution.method if isinstance(solution.method, str) else repr(solution.method),
        "numbers": {name: getattr(solution, name) for name in NUMBERS},
        "history": {name: list(values) for name, values in solution.history.items()},
        "soft_value": value.__dict__ if isinstance(value, QuadraticValue) else value,
        "soft_q": solution.soft_q,
        "guide": describe_guide(solution.guide),
    }
    with whole_file(path) as file:
        torch.save(_detached(kept), file)


def load(path: str | Path, model: TrajectoryModel) -> Solution:
    """Read a solution that ``Solution.save`` wrote, for the model it was fitted to.

    Raises:
        ValueError: the file is no solution, or belongs to another model.
    """
    try:
        kept = torch.load(path, weights_only=True)
        if kept["format"] != FORMAT:
            raise ValueError(f"its format is {kept['format']!r}, not {FORMAT!r}")
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"path: {path} is no saved solution of ppl_control") from error
    if kept["fingerprint"] != model.fingerprint:
        raise ValueError(f"model: {path} was fitted to {kept['model']}, not to {model!r}")
    reached = kept["numbers"]["temperature"]  # a simulator's guide refers to it, where it was learned
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


def _detached(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {name: _detached(entry) for name, entry in value.items()}
    return value
