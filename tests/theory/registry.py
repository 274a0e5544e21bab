"""Checks of equations, each with the code it holds the equation against."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

__all__ = ["CHECKS", "Check", "close", "equation", "uncalled"]

close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-11)


@dataclass(frozen=True)
class Check:
    """A function that raises an AssertionError where code and equation differ, and the code it is about."""

    run: Callable[[], None]
    code: tuple[Any, ...]


CHECKS: dict[int, Check] = {}


def equation(number: int, *code: Any) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register the check of an equation; ``code`` is what the page names below it."""

    def register(run: Callable[[], None]) -> Callable[[], None]:
        if number in CHECKS:
            raise ValueError(f"two checks of equation {number}: {CHECKS[number].run.__name__} and {run.__name__}")
        CHECKS[number] = Check(run, code)
        return run

    return register


def uncalled(check: Check) -> list[str]:
    """Run a check, and name what of its code never ran while it did: such a check compares something else."""
    seen: set[tuple[str, str]] = set()

    def watch(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            seen.add((frame.f_code.co_filename, frame.f_code.co_name))

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        check.run()
    finally:
        sys.setprofile(before)
    return [each.__qualname__ for each in check.code if not _places(each) & seen]


def _places(code: Any) -> set[tuple[str, str]]:
    """File and name of a function, or of every method of a class."""
    functions = [code] if not inspect.isclass(code) else [each for each in vars(code).values() if callable(each)]
    unwrapped = [inspect.unwrap(each) for each in functions]
    return {(each.__code__.co_filename, each.__code__.co_name) for each in unwrapped if inspect.isfunction(each)}
