"""Solutions on disk: tensors and plain values only, so that opening one never runs code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ppl_control.files import whole_file
from ppl_control.guides.bound import BoundGuide
from ppl_control.guides.custom import CustomGuide
from ppl_control.guides.program import ProgramGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.policies.mlp import CategoricalMLP
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["load", "save"]

FORMAT = "ppl_control.Solution/1"
NUMBERS = ("log_evidence_bound", "exact", "temperature", "log_evidence_bound_stderr", "error_bound")


def save(solution: Solution, path: str | Path) -> None:
    """Write a solution; the model is not written, only its description.

    Raises:
        ValueError: a guide of your own, or a policy that is not one of ``ppl_control.policies``.
    """
    guide = solution.guide
    if isinstance(guide, CustomGuide):
        raise ValueError("guide: a guide of your own cannot be saved; save its state_dict() yourself")
    kept: dict[str, Any] = {
        "format": FORMAT,
        "model": repr(solution.model),
        "fingerprint": solution.model.fingerprint,
        "method": solution.method if isinstance(solution.method, str) else repr(solution.method),
        "numbers": {name: getattr(solution, name) for name in NUMBERS},
        "history": {name: list(values) for name, values in solution.history.items()},
        "soft_value": solution.soft_value,
        "soft_q": solution.soft_q,
        "policy": _describe(guide.policy),
    }
    if isinstance(guide, TabularGuide):
        kept["guide"] = {"initial": guide.initial_logits, "outcomes": guide.outcome_logits}
    else:
        kept["guide"] = {"tilts": {name: tilt for name, tilt in guide.tilts.items()}}
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
    policy = _rebuild(kept["policy"])
    if model.is_tabular:
        guide: BoundGuide = TabularGuide(model, policy, kept["guide"]["initial"], kept["guide"]["outcomes"])
    else:
        tilts = kept["guide"]["tilts"]
        guide = ProgramGuide(model, policy, learn_dynamics=bool(tilts))
        guide.load_state_dict({f"tilts.{name}": tilt for name, tilt in tilts.items()}, strict=False)
    return Solution(
        model=model,
        method=kept["method"],
        policy=policy,
        guide=guide,
        soft_value=kept["soft_value"],
        soft_q=kept["soft_q"],
        history={name: tuple(values) for name, values in kept["history"].items()},
        **kept["numbers"],
    )


def _describe(policy: nn.Module) -> dict[str, Any]:
    if isinstance(policy, TabularPolicy):
        return {"kind": "TabularPolicy", "settings": {}, "state": policy.state_dict()}
    if isinstance(policy, CategoricalMLP):
        return {"kind": "CategoricalMLP", "settings": policy.settings, "state": policy.state_dict()}
    raise ValueError(f"policy: cannot save a {type(policy).__name__}; save its state_dict() yourself")


def _rebuild(kept: dict[str, Any]) -> nn.Module:
    if kept["kind"] == "TabularPolicy":
        return TabularPolicy(kept["state"]["logits"])
    policy = CategoricalMLP(**kept["settings"])
    policy.load_state_dict(kept["state"])
    return policy


def _detached(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {name: _detached(entry) for name, entry in value.items()}
    return value
