"""Checkpoints of iterative methods: written whole, read without running code."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from ppl_control.files import whole_file
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["resume", "store"]


def store(state: Any, model: TrajectoryModel, method: Any, path: str | Path) -> None:
    """Write the state of a run; an earlier file stays until the new one is complete."""
    with whole_file(path) as file:
        torch.save({"run": _identity(model, method), "state": state.state_dict()}, file)


def resume(state: Any, model: TrajectoryModel, method: Any, path: str | Path) -> None:
    """Put a stored state into a fresh one, where the file exists.

    Raises:
        ValueError: the file is no checkpoint, or one of another model, method or settings.
    """
    if not Path(path).exists():
        return
    try:
        kept = torch.load(path, weights_only=True)
        identity, saved = kept["run"], kept["state"]
    except Exception as error:
        raise ValueError(f"checkpoint: {path} is no checkpoint of ppl_control: {error}") from error
    if identity != _identity(model, method):
        raise ValueError(f"checkpoint: {path} belongs to {identity}, not to {_identity(model, method)}")
    try:
        state.load_state_dict(saved)
    except RuntimeError as error:
        raise ValueError(f"checkpoint: {path} belongs to a guide of another shape: {error}") from error


def _identity(model: TrajectoryModel, method: Any) -> str:
    settings = {field.name: getattr(method, field.name) for field in fields(method)}
    guide = type(settings.pop("guide", None)).__name__
    return f"{type(method).__name__}({guide}, {settings}) on {model!r} {model.fingerprint}"
