"""What is wrong, told in one line on standard error."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from ppl_control.cli.console import say
from ppl_control.inference import DivergenceError
from ppl_control.runs import CrewError

__all__ = ["told"]

LONGEST = 2000  # characters of a line
BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130
UsageError: type[Exception] = typer.BadParameter.__bases__[0]  # typer has a copy of click, or click itself


@contextmanager
def told() -> Iterator[None]:
    """Errors as one line and an exit code, never a traceback.

    2 where the input is wrong; 1 where a run failed, or where code that is no part of the library did, with its place;
    130 after Ctrl-C.
    """
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except KeyboardInterrupt as error:
        say(f"interrupted: {error}" if str(error) else "interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except BaseException as error:  # a model file may even call sys.exit
        line = " ".join(_said(error).split())
        say(f"error: {line if len(line) <= LONGEST else line[: LONGEST - 1] + '…'}")
        raise typer.Exit(BAD_INPUT if isinstance(error, ValueError | UsageError) else FAILED) from None


def _said(error: BaseException) -> str:
    if isinstance(error, UsageError):
        context: Any = getattr(error, "ctx", None)
        hint = "" if context is None else f" See {context.command_path} --help."
        return f"{error.format_message()}{hint}"  # type: ignore[attr-defined]
    if isinstance(error, ValueError | CrewError | DivergenceError | OSError):
        return str(error)
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
