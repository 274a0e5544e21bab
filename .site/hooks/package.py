"""The package as its source says it is: names, signatures and docstrings, without importing anything."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import griffe

__all__ = ["address", "exported", "load", "modules", "resolved"]


@cache
def _load(root: Path, name: str) -> griffe.Module:
    loaded = griffe.load(name, search_paths=[root], docstring_parser="google", resolve_aliases=True)
    assert isinstance(loaded, griffe.Module)
    return loaded


def load(config: Any) -> griffe.Module:
    """The package that the site documents, read once for each build."""
    return _load(Path(config.config_file_path).parent.parent, config.extra["package"])


def resolved(owner: griffe.Module, name: str) -> griffe.Object:
    """What a name of a module stands for, where it is defined.

    Imports are followed by what they say, since a function may share its name with the module that it comes from.

    Raises:
        KeyError: there is no such name.
    """
    imported = owner.imports.get(name)
    inside = f"{owner.package.name}."
    if imported is None or imported == f"{owner.path}.{name}" or not imported.startswith(inside):
        found = owner.members[name]
        return found.final_target if isinstance(found, griffe.Alias) else found
    home, _, last = imported.removeprefix(inside).rpartition(".")
    module = owner.package[home] if home else owner.package
    return resolved(module, last)


def address(owner: griffe.Module, name: str) -> str:
    """The dotted path that the reference shows a name by: as it is imported, unless a module hides it there."""
    target, found = resolved(owner, name), owner[name]
    hidden = found.canonical_path != target.path
    return target.path if hidden else f"{owner.path}.{name}"


def exported(module: griffe.Module) -> list[str]:
    """The names in a module's ``__all__``, in its order; without one, none."""
    return [str(name) for name in module.exports or []]


def modules(module: griffe.Module) -> Iterator[griffe.Module]:
    """The module and all modules in it, by name."""
    yield module
    for _, inner in sorted(module.modules.items()):
        if isinstance(inner, griffe.Module):
            yield from modules(inner)
