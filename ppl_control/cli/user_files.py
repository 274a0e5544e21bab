"""A Python file of the user's own as a problem."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ppl_control.cli.console import aside
from ppl_control.cli.problems import Problem, parameters
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["read"]


def read(path: Path) -> Problem:
    """The problem of a file that defines ``model(**settings)`` or a variable ``model``; the file is code, and is run.

    For ``irl`` it may also define ``reward`` and ``demonstrations``, functions without arguments or variables.

    Raises:
        ValueError: the file is not there, fails, or defines no ``model``.
    """
    if not path.is_file():
        raise ValueError(f"MODEL: there is no file {path}")
    with _errors_of(path):
        module = _run(path)
        model = getattr(module, "model", None)
    if model is None:
        raise ValueError(f"MODEL: {path} defines no 'model'; expected a TrajectoryModel or a function making one")
    own: dict[str, Any] = {part: _maker(path, getattr(module, part, None)) for part in ("reward", "demonstrations")}
    if isinstance(model, TrajectoryModel | type) or not callable(model):
        return Problem(path.stem, str(path), {}, lambda: model, **own)
    with _errors_of(path):
        taken = inspect.signature(model).parameters.values()

    def make(**settings: Any) -> Any:
        with _errors_of(path):
            return model(**settings)

    kinds = {p.kind for p in taken}
    return Problem(path.stem, str(path), parameters(model), make, inspect.Parameter.VAR_KEYWORD in kinds, **own)


def _maker(path: Path, part: Any) -> Callable[[], Any] | None:
    """A function, or something made already, as a function that makes it."""
    if part is None:
        return None

    def make() -> Any:
        with _errors_of(path):
            return part() if inspect.isfunction(part) else part

    return make


def _run(path: Path) -> Any:
    name = f"ppl_control_user_{path.stem}"
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """The file may import its neighbours and print; its errors are told with their line, without a traceback."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        with aside():
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit too
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == path]
        line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
        place = f"{path}:{line}" if line else f"{path}"
        raise ValueError(f"MODEL: {place}: {type(error).__name__}: {str(error)[:1000]}") from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
