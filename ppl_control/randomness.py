"""Seeded random streams: torch's distributions take no generator, so the global state is lent and given back."""

from __future__ import annotations

from types import TracebackType

import torch
from torch import Tensor

from ppl_control.settings import shown, whole

__all__ = ["RandomStream", "check_seed"]

SEEDS = (-(2**63), 2**64 - 1)  # that torch's generators take


class RandomStream:
    """A torch random stream of its own: inside ``with stream:`` torch draws from it, outside nothing changed.

    Args:
        seed: the stream's seed; two streams with one seed draw the same numbers.

    Raises:
        ValueError: no integer, or one beyond 64 bits.

    Example:
        >>> before = torch.get_rng_state()
        >>> with RandomStream(0):
        ...     _ = torch.rand(3)
        >>> torch.equal(before, torch.get_rng_state())
        True
    """

    def __init__(self, seed: int) -> None:
        self._states = _states_after_seed(check_seed(seed))
        self._lent: list[Tensor] = []

    @classmethod
    def current(cls) -> RandomStream:
        """A stream that draws what torch would draw next here, which it does not change."""
        stream = cls(0)
        stream._states = _read()
        return stream

    @property
    def states(self) -> list[Tensor]:
        """Of the generators, the CPU's first; what is set is checked.

        Raises:
            RuntimeError: no state of a generator.
        """
        return self._states

    @states.setter
    def states(self, states: list[Tensor]) -> None:
        if not states:
            raise RuntimeError("a random stream has at least the state of the CPU's generator")
        torch.Generator().set_state(states[0])
        self._states = list(states)

    def __enter__(self) -> RandomStream:
        self._lent = _read()
        _write(self._states)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._states = _read()
        _write(self._lent)


def check_seed(seed: int, name: str = "seed") -> int:
    """The seed as an ``int``, one that torch's generators take; larger ones are not cut short, lest two be one.

    Raises:
        ValueError: no integer, or one beyond 64 bits.
    """
    try:
        return whole(name, seed, *SEEDS)
    except ValueError:
        kind = "an integer of 64 bits" if isinstance(seed, int) and not isinstance(seed, bool) else "an integer"
        raise ValueError(f"{name}: expected {kind}, got {shown(seed)}") from None


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
