"""Ctrl-C at a chosen moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["at_step", "ctrl_c_after", "pressing"]


@contextmanager
def ctrl_c_after(*seconds: float) -> Iterator[None]:
    """SIGINT once so many seconds have passed, wherever the main thread then is; again after each further number."""
    left = list(seconds)

    def press(number: int, frame: Any) -> None:
        left.pop(0)
        if left:
            signal.setitimer(signal.ITIMER_REAL, left[0])
        signal.raise_signal(signal.SIGINT)

    standing = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, left[0])
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, standing)


def at_step(n: int, times: int = 1) -> Any:
    """A callback that presses Ctrl-C after its n-th call."""
    calls = [0]

    def press(step: Any) -> None:
        calls[0] += 1
        if calls[0] == n:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    return press


def pressing(monkeypatch: pytest.MonkeyPatch, room: Any, name: str, at: int, times: int = 1) -> None:
    """Press Ctrl-C when a function is called for the n-th time."""
    function, calls = getattr(room, name), [0]

    def pressed(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == at:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return function(*arguments, **named)

    monkeypatch.setattr(room, name, pressed)
