"""Checks the shapes in the package's annotations while tests run, and nothing else about its types.

A full type checker would raise before the package's own ValueErrors do, and stumble over numpy's integers.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from jaxtyping import AbstractArray, AnnotationError

__all__ = ["checked"]


def checked(function: Callable) -> Callable:
    """Check every jaxtyping annotation of a call; names of axes mean one length throughout the call."""
    names = inspect.signature(function).parameters
    hints: dict[str, Any] | None = None

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal hints
        if hints is None:
            hints = _hints(function)
        given = dict(zip(names, args, strict=False)) | kwargs
        _check(function, [(hints[name], value, name) for name, value in given.items() if name in hints])
        result = function(*args, **kwargs)
        _check(function, list(_parts(hints.get("return"), result, "return")))
        return result

    return wrapper


def _hints(function: Callable) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError:  # a name that is imported for type checkers only
        return {}


def _parts(hint: Any, value: Any, name: str):
    if typing.get_origin(hint) is tuple and isinstance(value, tuple):
        for i, (inner, entry) in enumerate(zip(typing.get_args(hint), value, strict=False)):
            yield inner, entry, f"{name}[{i}]"
    else:
        yield hint, value, name


def _check(function: Callable, pairs: list[tuple[Any, Any, str]]) -> None:
    shaped = [(_shape(hint, value), value, name) for hint, value, name in pairs]
    # Plain axes settle what "T+1" means.
    shaped.sort(key=lambda entry: "+" in str(getattr(entry[0], "dim_str", "")))
    for hint, value, name in shaped:
        if hint is not None and not _fits(value, hint):
            raise TypeError(f"{function.__qualname__}: {name} has shape {tuple(value.shape)}, not {hint}")


def _fits(value: Any, hint: Any) -> bool:
    try:
        return isinstance(value, hint)
    except AnnotationError:  # "T+1" where nothing else in the call says what T is
        return True


def _shape(hint: Any, value: Any) -> Any:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    arrays = [h for h in options if isinstance(h, type) and issubclass(h, AbstractArray)]
    return arrays[0] if arrays and value is not None else None
