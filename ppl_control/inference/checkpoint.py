"""Checkpoints of iterative methods: written whole, read without running code."""

from __future__ import annotations

import hashlib
import operator
import time
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ppl_control.files import clear_leftovers
from ppl_control.inference.alike import require_alike
from ppl_control.inference.stored import read_values, write_values
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Keeper", "digest_of", "identity", "named", "require_every", "resume", "store"]

FORMAT = "ppl_control.Checkpoint/1"
CALLS = 100  # steps of a method between two checkpoints, and
SECONDS = 20.0  # for slow ones the time between them; both longer where storing takes long:
SHARE = 0.05  # of the time, at most


class Keeper:
    """Keeps a run's checkpoint: resumes an existing one, and says when the next is due.

    Args:
        state: the run's state.
        run: see ``identity``.
        path: the file.
        every: calls of ``due`` between two; None: 100, or as ``infer`` says.
        most: the largest number of steps that a state may have made; None: there is no such number.

    Raises:
        ValueError: the file is no checkpoint, or another run's.
    """

    def __init__(
        self, state: Any, run: dict[str, str], path: str | Path, every: int | None = None, most: int | None = None
    ) -> None:
        self._state, self._run, self._path, self._every = state, run, path, every
        resume(state, run, path, most)
        clear_leftovers(path)
        self.store()

    def due(self) -> bool:
        """Whether to store after this step."""
        self._calls += 1
        if self._every is not None:
            return self._calls >= self._every
        passed = time.monotonic() - self._stored
        return (self._calls >= CALLS or passed > SECONDS) and passed > self._cost / SHARE

    def store(self) -> None:
        """Write the state."""
        start = time.monotonic()
        store(self._state, self._run, self._path)
        self._stored = time.monotonic()
        self._cost, self._calls = self._stored - start, 0


def store(state: Any, run: dict[str, str], path: str | Path) -> None:
    """Write the state of a run; an earlier file stays until the new one is complete."""
    write_values(path, FORMAT, {"run": run, "state": state.state_dict()})


def resume(state: Any, run: dict[str, str], path: str | Path, most: int | None = None) -> None:
    """Put a stored state into a fresh one, where the file exists.

    Whatever the file holds, nothing in it is run. It is refused where it was damaged, and where its state has other
    parts, types, shapes or numbers than one of this run can have.

    Raises:
        ValueError: the file is no checkpoint, or one of another model, method, seed or settings.
    """
    try:
        kept = read_values(path, FORMAT)
    except FileNotFoundError:
        return
    except ValueError as error:
        raise ValueError(f"checkpoint: {path} is no checkpoint of ppl_control: {error}") from error
    theirs = kept.get("run") if isinstance(kept, dict) else None
    if not isinstance(theirs, dict) or kept.keys() != {"run", "state"}:
        raise ValueError(f"checkpoint: {path} is no checkpoint of ppl_control: it holds no run and state")
    if not all(isinstance(text, str) for pair in theirs.items() for text in pair):
        raise ValueError(f"checkpoint: {path} is no checkpoint of ppl_control: its run is not named by text")
    for name in sorted(theirs.keys() | run.keys()):
        if theirs.get(name) != run.get(name):
            raise ValueError(
                f"checkpoint: {path} belongs to another run: {name[:40]} was {theirs.get(name, 'not there')[:300]}, "
                f"now it is {run.get(name, 'not there')[:300]}"
            )
    try:
        require_alike(kept["state"], state.state_dict(), most)
        state.load_state_dict(kept["state"])
    except Exception as error:  # states are checked where they are taken over, by what takes them
        raise ValueError(f"checkpoint: {path} does not fit this run: {_in_a_line(error)}") from error


def _in_a_line(error: Exception) -> str:
    """What an error says; its kind too, where it is not made for people."""
    said = " ".join(str(error).split())[:300]
    return said if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: {said}"


def require_every(every: object) -> None:
    """Raise a ValueError where there is no such number of calls between two checkpoints."""
    if every is None:
        return
    if isinstance(every, bool) or not hasattr(every, "__index__") or operator.index(every) < 1:  # type: ignore[arg-type]
        raise ValueError(f"checkpoint_every: expected an integer >= 1 or None, got {every!r}")


def identity(model: TrajectoryModel, method: Any, seed: int) -> dict[str, str]:
    """What makes a run this run: model, method with all its settings (``steps`` sets the decay), guide, seed.

    Raises:
        ValueError: a method or recipe that is no dataclass, so that its settings are not known.
    """
    _require_settings(method)
    settings = {field.name: named(getattr(method, field.name)) for field in fields(method)}
    settings["guide"] = _guide(getattr(method, "guide", None))
    names = {"method": type(method).__name__, "seed": str(int(seed)), "model": f"{model!r} {model.fingerprint[:12]}"}
    return settings | names


def _guide(guide: Any) -> str:
    """A recipe by its kind, what it holds, and the settings of one of your own; a plain function by its name."""
    if guide is not None and not hasattr(guide, "build"):
        return named(guide)
    usual = ("policy", "plan", "function")
    parts = [named(getattr(guide, part, None)) for part in usual]
    if guide is not None and (is_dataclass(guide) or getattr(guide, "__dict__", None)):
        _require_settings(guide)
        own = [field.name for field in fields(guide) if field.name not in usual]
        parts += [f"{name}={named(getattr(guide, name))}" for name in own]
    return f"{type(guide).__name__}({', '.join(parts)})"


def _require_settings(part: Any) -> None:
    """Raise a ValueError where the settings of a method or recipe cannot be read."""
    if not is_dataclass(part):
        raise ValueError(f"checkpoint: {type(part).__name__} is no dataclass, so its settings are not known")


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """A text that tells tensors apart, by their names and every number in them."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        kept = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode() + kept.numpy().tobytes())
    return digest.hexdigest()


def named(part: Any) -> str:
    """A function by its name, whatever its address; tensors and modules with their numbers; else as it shows itself."""
    if isinstance(part, Tensor):
        return f"Tensor({digest_of({'': part})[:12]})"
    if isinstance(part, nn.Module):
        return f"{' '.join(repr(part).split())} {digest_of(part.state_dict())[:12]}"
    if isinstance(part, TrajectoryModel):
        return f"{part!r} {part.fingerprint[:12]}"
    if is_dataclass(part) and not isinstance(part, type):
        inside = ", ".join(f"{field.name}={named(getattr(part, field.name))}" for field in fields(part))
        return f"{type(part).__name__}({inside})"
    name = getattr(part, "__qualname__", None)
    return repr(part) if name is None else f"{part.__module__}.{name}"
