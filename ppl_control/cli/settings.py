"""``--set name=value``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

__all__ = ["literal", "literals", "parse_grid", "parse_seeds", "parse_settings", "split"]

MOST_SEEDS = 1_000_000  # of a range: more are a slip of the hand


def literal(text: str) -> Any:
    """A Python literal, else the text itself.

    Example:
        >>> literal("0.1"), literal("None"), literal("(1, 2)"), literal("uniform")
        (0.1, None, (1, 2), 'uniform')
    """
    try:
        return ast.literal_eval(text)
    except Exception:  # no literal, one nested too deeply, or a set of lists
        return text


def literals(text: str) -> list[Any]:
    """Values between commas: Python literals, so that commas inside brackets and quotes stay; else texts.

    Example:
        >>> literals("0.1,0.2"), literals("(16, 16),(32,)"), literals("uniform,None")
        ([0.1, 0.2], [(16, 16), (32,)], ['uniform', None])
    """
    try:
        return list(ast.literal_eval(f"({text},)"))
    except Exception:
        return [literal(part.strip()) for part in text.split(",")]


def parse_grid(option: str, assignments: Sequence[str]) -> dict[str, list[Any]]:
    """Name → values.

    Raises:
        ValueError: no ``name=value,value``, or a name given twice.

    Example:
        >>> parse_grid("--set", ["noise=0.1,0.2", "action_prior=uniform"])
        {'noise': [0.1, 0.2], 'action_prior': ['uniform']}
    """
    return {name: literals(text) for name, text in _assigned(option, assignments).items()}


def parse_seeds(option: str, values: Sequence[str]) -> list[int]:
    """Integers between commas, and ranges without their ends.

    Raises:
        ValueError: something else, or a seed given twice.

    Example:
        >>> parse_seeds("--seeds", ["0:4,10"])
        [0, 1, 2, 3, 10]
    """
    seeds: dict[int, None] = {}
    for entry in split(option, values):
        first, colon, end = entry.partition(":")
        try:
            found = range(int(first), int(end)) if colon else range(int(first), int(first) + 1)
        except ValueError:
            raise ValueError(f"{option}: expected integers, got {entry!r}") from None
        if not found:
            raise ValueError(f"{option}: {entry} is an empty range")
        if found.stop - found.start > MOST_SEEDS:
            raise ValueError(f"{option}: expected at most {MOST_SEEDS} seeds, got {entry}")
        for seed in found:
            if seed in seeds:
                raise ValueError(f"{option}: {seed} was given twice")
            seeds[seed] = None
    return list(seeds)


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Name → value.

    Raises:
        ValueError: no ``name=value``, or a name given twice.

    Example:
        >>> parse_settings(["noise=0.1", "action_prior=uniform"])
        {'noise': 0.1, 'action_prior': 'uniform'}
    """
    return {name: literal(text) for name, text in _assigned("--set", assignments).items()}


def _assigned(option: str, assignments: Sequence[str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise ValueError(f"{option}: expected name=value, got {assignment!r}")
        if name in settings:
            raise ValueError(f"{option}: {name} was given twice")
        settings[name] = value.strip()
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
