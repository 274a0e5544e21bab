"""The command line, ``ppl-control``: one command a file."""

from ppl_control.cli.app import app, main

__all__ = ["app", "main"]
