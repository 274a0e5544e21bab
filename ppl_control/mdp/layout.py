"""Grid maps: where the states of a table stand on paper."""

from __future__ import annotations

from dataclasses import dataclass

from ppl_control.settings import shown

__all__ = ["GridLayout"]


@dataclass(frozen=True)
class GridLayout:
    """A rectangular map, one character a state; state index = row · width + column.

    Args:
        rows: the map from top to bottom, as text lines of equal length.

    Raises:
        ValueError: no rows, or rows of different length.
    """

    rows: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.rows, list | tuple) or not all(isinstance(row, str) for row in self.rows):
            raise ValueError(f"rows: expected lines of text, got {shown(self.rows)}")
        widths = {len(row) for row in self.rows}
        if len(widths) != 1 or 0 in widths:
            raise ValueError(f"rows: expected non-empty lines of equal length, got {shown(list(self.rows))}")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.rows), len(self.rows[0])

    def cell(self, state: int) -> tuple[int, int]:
        """Row and column of a state."""
        return divmod(state, self.shape[1])

    def __getitem__(self, state: int) -> str:
        row, column = self.cell(state)
        return self.rows[row][column]
