"""The application: its commands, its version, and errors of one line."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ppl_control.cli.compare import compare
from ppl_control.cli.errors import told
from ppl_control.cli.irl import irl
from ppl_control.cli.models import models
from ppl_control.cli.solve import solve
from ppl_control.cli.sweep import sweep
from ppl_control.cli.train import train

__all__ = ["app", "main"]


class _OneLineErrors(TyperGroup):
    """Errors of one line, those of usage too; see ``told``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args:
            return super().parse_args(ctx, args)  # help, which is no error
        with told():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with told():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_OneLineErrors,
    help="Control as variational inference: what a method believes it gets, against what it gets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(compare)
app.command()(sweep)
app.command()(solve)
app.command()(train)
app.command()(irl)
app.command()(models)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ppl-control {version('ppl-control')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the entry point ``ppl-control``."""
    app()
