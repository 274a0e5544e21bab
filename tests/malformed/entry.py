"""Public entry points under bad input: what is refused names the place, what is merely unusual is taken."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.malformed.values import Spoil

__all__ = ["COUNTS", "LONGEST", "Entry", "accept", "refuse", "tell", "within"]

FEW, MANY = 40, 500
COUNTS = pytest.mark.parametrize("examples", [pytest.param(FEW), pytest.param(MANY, marks=pytest.mark.slow)])
LONGEST = 2500  # characters of a message that somebody reads
PATIENCE = 60  # seconds after which a call counts as hanging


@dataclass(frozen=True)
class Entry:
    """A public entry point.

    Attributes:
        call: it, or a function that calls it with keyword arguments and looks at what comes back.
        valid: good arguments, plain or unusual.
        bad: argument → how a good value of it is spoiled; it may be an argument that ``valid`` leaves out.
        places: argument → what an error may call it instead, a regular expression.
    """

    call: Callable[..., Any]
    valid: SearchStrategy[dict[str, Any]]
    bad: Mapping[str, Spoil]
    places: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def within(seconds: int = PATIENCE) -> Iterator[None]:
    """Fail where what is inside hangs."""

    def late(*_: Any) -> None:
        raise AssertionError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tell(value: Any) -> str:
    """A value in an error message of a test, whatever its own ``repr`` does."""
    try:
        return f"{type(value).__name__} {value!r}"[:300]
    except Exception as error:
        return f"{type(value).__name__} whose repr raises {type(error).__name__}"


def refuse(entry: Entry, examples: int) -> None:
    """One argument of a good call is spoiled: expect a ValueError that names it."""

    @settings(max_examples=examples)
    @given(data=st.data())
    def refused(data: Any) -> None:
        arguments = data.draw(entry.valid)
        name = data.draw(st.sampled_from(sorted(entry.bad)))
        what, value = data.draw(entry.bad[name](arguments.get(name)))
        note(f"{name} is {what}: {tell(value)}")
        with within(), pytest.raises(ValueError) as caught:  # noqa: PT011
            entry.call(**(arguments | {name: value}))
        message = str(caught.value)
        assert re.search(entry.places.get(name, rf"\b{re.escape(name)}\b"), message), f"{name} is not named: {message}"
        assert len(message) < LONGEST

    refused()


def accept(entry: Entry, examples: int) -> None:
    """Good calls, with unusual types: expect no complaint."""

    @settings(max_examples=examples)
    @given(arguments=entry.valid)
    def accepted(arguments: dict[str, Any]) -> None:
        with within():
            entry.call(**arguments)

    accepted()
