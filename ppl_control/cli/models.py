"""``ppl-control models``: the worked problems and their settings."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ppl_control.cli.console import print_json, screen
from ppl_control.cli.problems import worked, worked_names

__all__ = ["models"]


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the worked problems and their settings."""
    problems = [worked(name) for name in worked_names()]
    if as_json:
        listed = [{"name": p.name, "description": p.description, "settings": p.settings} for p in problems]
        print_json({"models": listed})
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), header_style="bold")
    for header in ("model", "what it is", "settings"):
        table.add_column(header, no_wrap=header == "model")
    for problem in problems:
        settings = "\n".join(f"{name}={_short(value)}" for name, value in problem.settings.items())
        table.add_row(problem.name, escape(problem.description), escape(settings))
    screen().print(table)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 32 else f"{text[:31]}…"
