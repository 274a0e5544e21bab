"""Numbers too small to be told from 0, flushed to it: arithmetic on them is many times slower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["flushed_denormals"]


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Flush denormal numbers to 0 on this thread, as they arise in Adam's moments of units that have died.

    Not around environments: one that is replayed later shall compute as it did.
    """
    before = bool((torch.tensor(1e-40) * 1.0) == 0)  # torch tells only in this way
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
