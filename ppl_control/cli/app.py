"""The application: its commands, its version, and errors of one line."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ppl_control.cli.compare import compare
from ppl_control.cli.console import say
from ppl_control.cli.irl import irl
from ppl_control.cli.models import models
from ppl_control.cli.solve import solve
from ppl_control.cli.sweep import sweep
from ppl_control.cli.train import train
from ppl_control.inference import DivergenceError
from ppl_control.runs import CrewError

__all__ = ["app", "main"]


class _OneLineErrors(TyperGroup):
    """What is wrong with the input is told in one line on standard error; exit code 2, or 1 where a run failed.

    Ctrl-C is told in one line too; exit code 130, as a shell has it.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (ValueError, CrewError, DivergenceError, OSError) as error:
            say(f"error: {' '.join(str(error).split())}")
            raise typer.Exit(2 if isinstance(error, ValueError) else 1) from None
        except KeyboardInterrupt as error:
            say(f"interrupted: {error}" if str(error) else "interrupted")
            raise typer.Exit(130) from None


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
