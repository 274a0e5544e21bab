"""Checkpoints of iterative methods: written whole, read without running code."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from ppl_control.files import whole_file
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Keeper", "identity", "resume", "store"]

CALLS = 100  # steps of a method between two checkpoints, and
SECONDS = 20.0  # for slow ones the time between them, longer where storing takes long:
SHARE = 0.05  # of the time, at most


class Keeper:
    """Keeps a run's checkpoint: resumes an existing one, and says when the next is due.

    Args:
        state: the run's state.
        run: see ``identity``.
        path: the file.

    Raises:
        ValueError: the file is no checkpoint, or another run's.
    """

    def __init__(self, state: Any, run: dict[str, str], path: str | Path) -> None:
        self._state, self._run, self._path = state, run, path
        self._calls = 0
        resume(state, run, path)
        self.store()

    def due(self) -> bool:
        """Whether to store after this step."""
        self._calls += 1
        return self._calls % CALLS == 0 or time.monotonic() - self._stored > max(SECONDS, self._cost / SHARE)

    def store(self) -> None:
        """Write the state."""
        start = time.monotonic()
        store(self._state, self._run, self._path)
        self._stored = time.monotonic()
        self._cost = self._stored - start


def store(state: Any, run: dict[str, str], path: str | Path) -> None:
    """Write the state of a run; an earlier file stays until the new one is complete."""
    with whole_file(path) as file:
        torch.save({"run": run, "state": state.state_dict()}, file)


def resume(state: Any, run: dict[str, str], path: str | Path) -> None:
    """Put a stored state into a fresh one, where the file exists.

    Raises:
        ValueError: the file is no checkpoint, or one of another model, method, seed or settings.
    """
    if not Path(path).exists():
        return
    try:
        kept = torch.load(path, weights_only=True)
        theirs, saved = dict(kept["run"]), kept["state"]
    except Exception as error:
        raise ValueError(f"checkpoint: {path} is no checkpoint of ppl_control") from error
    for name in sorted(theirs.keys() | run.keys()):
        if theirs.get(name) != run.get(name):
            raise ValueError(
                f"checkpoint: {path} belongs to another run: {name} was {theirs.get(name)}, now it is {run.get(name)}"
            )
    try:
        state.load_state_dict(saved)
    except RuntimeError as error:
        raise ValueError(f"checkpoint: {path} belongs to a guide of another shape: {error}") from error


def identity(model: TrajectoryModel, method: Any, seed: int) -> dict[str, str]:
    """What makes a run this run: model, method with all its settings (``steps`` sets the decay), guide, seed."""
    settings = {field.name: _named(getattr(method, field.name)) for field in fields(method)}
    guide = getattr(method, "guide", None)
    parts = [_named(getattr(guide, part, None)) for part in ("policy", "plan", "function")]
    settings["guide"] = f"{type(guide).__name__}({', '.join(parts)})"
    names = {"method": type(method).__name__, "seed": str(int(seed)), "model": f"{model!r} {model.fingerprint[:12]}"}
    return settings | names


def _named(part: Any) -> str:
    """A function by its name, whatever its address; anything else as it shows itself."""
    name = getattr(part, "__qualname__", None)
    return repr(part) if name is None else f"{part.__module__}.{name}"
