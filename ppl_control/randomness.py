"""Seeded random streams: torch's distributions take no generator, so the global state is lent and given back."""

from __future__ import annotations

import operator
from types import TracebackType

import torch
from torch import Tensor

__all__ = ["RandomStream"]


class RandomStream:
    """A torch random stream of its own: inside ``with stream:`` torch draws from it, outside nothing changed.

    Args:
        seed: the stream's seed; two streams with one seed draw the same numbers.

    Example:
        >>> before = torch.get_rng_state()
        >>> with RandomStream(0):
        ...     _ = torch.rand(3)
        >>> torch.equal(before, torch.get_rng_state())
        True
    """

    def __init__(self, seed: int) -> None:
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise ValueError(f"seed: expected an integer, got {seed!r}")
        self.states = _states_after_seed(operator.index(seed))
        self._lent: list[Tensor] = []

    def __enter__(self) -> RandomStream:
        self._lent = _read()
        _write(self.states)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.states = _read()
        _write(self._lent)


def _read() -> list[Tensor]:
    states = [torch.get_rng_state()]
    if torch.cuda.is_available():
        states.append(torch.cuda.get_rng_state())
    return states


def _write(states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1])


def _states_after_seed(seed: int) -> list[Tensor]:
    states = [torch.Generator().manual_seed(seed).get_state()]
    if torch.cuda.is_available():
        states.append(torch.Generator("cuda").manual_seed(seed).get_state())
    return states
