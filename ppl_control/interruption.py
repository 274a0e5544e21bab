"""Ctrl-C between two steps of a fit, never in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interruptible"]


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Inside ``with`` the first Ctrl-C is only noted; the second raises KeyboardInterrupt at once.

    Yields a function that says whether one has come. Inside another ``with`` it speaks of the same Ctrl-C, so that
    a fit within a fit does not end alone. In a thread that is not the main one, where Python sets no handlers, and
    where a program has a handler of its own for SIGINT, everything stays as it is and none ever comes.

    Example:
        >>> with interruptible() as interrupted:
        ...     signal.raise_signal(signal.SIGINT)
        ...     interrupted()
        True
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    standing = signal.getsignal(signal.SIGINT)
    if isinstance(standing, _Noting):
        yield lambda: standing.noted
        return
    if standing is not signal.default_int_handler:
        yield lambda: False
        return
    noting = _Noting()
    signal.signal(signal.SIGINT, noting)
    try:
        yield lambda: noting.noted
    finally:
        signal.signal(signal.SIGINT, standing)


class _Noting:
    """A handler that takes the first signal down and lets Python have its way with the next."""

    def __init__(self) -> None:
        self.noted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.noted:
            signal.default_int_handler(number, frame)
        self.noted = True
