"""``--set name=value``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

__all__ = ["literal", "parse_settings", "split"]


def literal(text: str) -> Any:
    """A Python literal, else the text itself.

    Example:
        >>> literal("0.1"), literal("None"), literal("(1, 2)"), literal("uniform")
        (0.1, None, (1, 2), 'uniform')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Name → value.

    Raises:
        ValueError: no ``name=value``, or a name given twice.

    Example:
        >>> parse_settings(["noise=0.1", "action_prior=uniform"])
        {'noise': 0.1, 'action_prior': 'uniform'}
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise ValueError(f"--set: expected name=value, got {assignment!r}")
        if name in settings:
            raise ValueError(f"--set: {name} was given twice")
        settings[name] = literal(value.strip())
    return settings


def split(option: str, values: Sequence[str]) -> list[str]:
    """Entries of an option that takes commas and may be repeated.

    Raises:
        ValueError: an empty entry, or one given twice.
    """
    entries = [entry.strip() for value in values for entry in value.split(",")]
    if "" in entries:
        raise ValueError(f"{option}: expected entries between the commas, got {','.join(values)!r}")
    twice = [entry for i, entry in enumerate(entries) if entry in entries[:i]]
    if twice:
        raise ValueError(f"{option}: {twice[0]} was given twice")
    return entries
