"""One thing to turn, and what can be read beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ppl_control.settings import shown

__all__ = ["Knob", "words"]


@dataclass(frozen=True)
class Knob:
    """One thing to turn.

    Args:
        values: what it can be set to, in order: numbers or words.
        start: where it stands at first, one of ``values`` (numbers up to rounding).
        label: what stands beside it; None: the argument's name.

    Raises:
        ValueError: fewer than two values, two that look alike, or a start that is not among them.
    """

    values: Sequence[Any]
    start: Any
    label: str | None = None

    def __post_init__(self):
        if isinstance(self.values, str) or len(self.values) < 2:
            raise ValueError(f"values: expected at least two, got {shown(self.values)}")
        if len(set(self.shown)) < len(self.values):
            raise ValueError(f"values: expected no two that look alike, got {', '.join(self.shown)}")
        if words(self.start) not in self.shown:
            raise ValueError(f"start: expected one of {', '.join(self.shown)}, got {shown(self.start)}")

    @property
    def shown(self) -> list[str]:
        """The values as they are read beside the knob."""
        return [words(value) for value in self.values]

    @property
    def index(self) -> int:
        """Where it stands at first."""
        return self.shown.index(words(self.start))


def words(value: Any) -> str:
    """A value as it is read beside a knob."""
    return str(value) if isinstance(value, str | int) else f"{value:.3g}".replace("-", "−")
