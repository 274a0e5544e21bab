"""Which site of a program plays which part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

__all__ = ["DEFAULT_ROLES", "ROLES", "Roles", "family", "time_index"]

ROLES = ("state", "action", "reward", "optimality", "latent")
DEFAULT_ROLES = {"s_*": "state", "a_*": "action", "r_*": "reward", "O_*": "optimality"}

_INDEX = re.compile(r"_?(\d+)$")


def time_index(name: str) -> int | None:
    """The number a site's name ends in: 3 for ``a_3``; None without one."""
    found = _INDEX.search(name)
    return int(found.group(1)) if found else None


def family(name: str) -> str:
    """The site's name without its time: ``a`` for ``a_3``."""
    return _INDEX.sub("", name) or name


@dataclass(frozen=True)
class Roles:
    """Roles of sites by name or by pattern (``s_*``); the first that matches counts.

    Args:
        patterns: site name or pattern → state, action, reward, optimality or latent.

    Raises:
        ValueError: an unknown role.
    """

    patterns: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_ROLES))

    def __post_init__(self) -> None:
        for pattern, role in self.patterns.items():
            if not isinstance(pattern, str):
                raise ValueError(f"roles: expected names or patterns of sites, got {pattern!r}")
            if not isinstance(role, str) or role not in ROLES:
                raise ValueError(f"roles[{pattern!r}] is {role!r}: expected one of {list(ROLES)}")

    def of(self, name: str) -> str:
        """The role of a site; whatever nobody named is latent."""
        for pattern, role in self.patterns.items():
            if fnmatchcase(name, pattern):
                return role
        return "latent"
