"""The command line, run in this process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from ppl_control.cli import app


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as one JSON object, strictly."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    @property
    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(model, method) → row of a comparison."""
        return {(row["model"], row["method"]): row for row in self.json["rows"]}

    @property
    def error(self) -> str:
        """The one line on standard error of a command that was refused and printed nothing else."""
        assert self.code == 2, self.err
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")


@pytest.fixture
def run() -> Callable[..., Ran]:
    """Run ``ppl-control`` with some arguments."""

    def run(*arguments: object) -> Ran:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run
