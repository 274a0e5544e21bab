"""MODEL on the command line: a worked problem, a gymnasium id, or a Python file."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ppl_control.models
from ppl_control.settings import shown
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["REQUIRED", "Problem", "build", "find", "parameters", "worked", "worked_names"]

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Problem:
    """Something that makes a model.

    Attributes:
        name: what tables and pictures call it.
        description: one line.
        settings: setting → default; ``REQUIRED`` without one.
        make: the factory.
        open_ended: it takes settings that ``settings`` does not list.
        reward: makes the reward model that ``irl`` learns; None where the problem has none of its own.
        demonstrations: makes recorded behaviour to learn it from; None where there is none.
    """

    name: str
    description: str
    settings: Mapping[str, Any]
    make: Callable[..., Any]
    open_ended: bool = False
    reward: Callable[[], Any] | None = None
    demonstrations: Callable[[], Any] | None = None


def find(spec: str) -> Problem:
    """The problem that a MODEL argument names.

    Raises:
        ValueError: no such problem, or a file that cannot be read as one.
    """
    from ppl_control.cli import environments, user_files

    if spec in worked_names():
        return worked(spec)
    if spec.endswith(".py") or _is_file(spec):
        return user_files.read(Path(spec))
    if "=" in spec:
        raise ValueError(f"MODEL: {shown(spec)} is no model; settings are given as --set {spec[:100]}")
    found = environments.read(spec)
    if found is None:
        near = difflib.get_close_matches(spec, worked_names(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"MODEL: {shown(spec)} is no worked problem ({', '.join(worked_names())}), no gymnasium id and no "
            f"Python file{hint}"
        )
    return found


def _is_file(spec: str) -> bool:
    try:
        return Path(spec).is_file()
    except OSError:  # longer than any name
        return False


def worked_names() -> list[str]:
    """Names of the worked problems."""
    return sorted(module.name for module in pkgutil.iter_modules(ppl_control.models.__path__))


def worked(name: str) -> Problem:
    """A worked problem."""
    module = importlib.import_module(f"ppl_control.models.{name}")
    description = (module.__doc__ or "").strip().split("\n")[0]
    own: dict[str, Any] = {part: getattr(module, part, None) for part in ("reward", "demonstrations")}
    return Problem(name, description, parameters(module.model), module.model, **own)


def parameters(factory: Callable[..., Any]) -> dict[str, Any]:
    """Setting → default of a factory's named parameters."""
    named = inspect.signature(factory).parameters.values()
    return {p.name: p.default for p in named if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def build(problem: Problem, given: Mapping[str, Any]) -> TrajectoryModel:
    """The model with some settings of its own.

    Raises:
        ValueError: a setting that the problem does not have, or a value that it cannot use.
    """
    known = list(problem.settings)
    listed = f"it has {', '.join(known)}" if known else "it has none"
    for name in given:
        if name not in known and not problem.open_ended:
            raise ValueError(f"--set: {problem.name} has no setting {name!r}; {listed}")
    for name, default in problem.settings.items():
        if default is REQUIRED and name not in given:
            raise ValueError(f"--set: {problem.name} needs a value for {name!r}; {listed}")
    try:
        model = problem.make(**given)
    except ValueError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error)[:1000]}"
        if not given:
            raise ValueError(f"MODEL: {problem.name} cannot be made: {reason}") from error
        raise ValueError(f"--set: {problem.name} cannot use {shown(dict(given))}: {reason}") from error
    if not isinstance(model, TrajectoryModel):
        raise ValueError(
            f"MODEL: {problem.name} makes an object of type {type(model).__name__}, expected a TrajectoryModel"
        )
    return model
