"""What the commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

__all__ = ["aside", "end_interrupted", "end_unfinished", "number", "plain", "print_json", "say", "screen"]

INTERRUPTED = 130  # 128 + SIGINT
WIDTH = 120  # of tables that go to a file or a pipe


def say(text: str) -> None:
    """One line on standard error."""
    typer.echo(text, err=True)


def aside() -> AbstractContextManager[Any]:
    """What a model of the user's prints goes to standard error: it is no part of the result."""
    return redirect_stdout(sys.stderr)


def end_unfinished(checkpoint: Path | None) -> NoReturn:
    """Say in one line how to go on with a fit that Ctrl-C ended, and end with the exit code that shells have for that.

    Args:
        checkpoint: where its state is kept.
    """
    how = "give --checkpoint FILE, and the same command will go on from where it was ended"
    end_interrupted(how if checkpoint is None else f"the same command goes on from {checkpoint}")


def end_interrupted(how: str) -> NoReturn:
    """Say in one line what a fit that Ctrl-C ended has left, and end with the exit code that shells have for that."""
    say(f"interrupted, and unfinished: {how}")
    raise typer.Exit(INTERRUPTED)


def screen() -> Console:
    """Standard output, wide enough for a table where it is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output; −∞ and missing as null."""
    typer.echo(json.dumps(plain(value), indent=1, allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numbers that are not finite become None, strange things their ``repr``."""
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | bool | int) else repr(value)


def number(value: float, scale: float = 1.0) -> str:
    """Three decimals, more for small numbers; rounding errors of something of the given scale are 0.

    Example:
        >>> number(88.50627), number(0.0000123), number(-2e-14), number(float("-inf")), number(float("nan"))
        ('88.506', '1.2e-05', '0.000', '−∞', '')
    """
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) <= 1e-12 * max(1.0, abs(scale)):
        value = 0.0
    text = f"{value:.2g}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"
    return text.replace("-", "−", 1) if value < 0 else text
