"""A public name without a docstring, or an argument without a line in it, fails the build.

Public are the names in the ``__all__`` of the package and of the submodules listed in ``extra.public``, with the public
methods and properties of their classes. Functions, classes and class methods name every argument under ``Args`` (a
class may use ``Attributes``). Other methods need no ``Args``, since many fill a protocol that is explained once; where
they have them, they are complete. What stands under ``Args`` is an argument.
"""

from collections.abc import Iterator
from typing import Any

import griffe
from mkdocs.exceptions import PluginError
from package import exported, load, modules, resolved

DESCRIBING = {"parameters", "other parameters", "attributes"}


def on_files(files: Any, config: Any) -> None:
    """Check before any page is made."""
    del files
    package = load(config)
    problems = sorted(set(check(package, config.extra["public"])))
    if problems:
        raise PluginError("\n".join(["public names:", *(f"  {problem}" for problem in problems)]))


def check(package: griffe.Module, public: list[str]) -> Iterator[str]:
    """One line for each fault."""
    seen = {package.path: package}
    for name in public:
        module = resolved(package, name)
        seen |= {inner.path: inner for inner in (modules(module) if name == "models" else [module])}
    for module in seen.values():
        for name in exported(module):
            try:
                target = resolved(module, name)
            except KeyError:
                yield f"{module.path}.{name}: in __all__, and not defined"
                continue
            yield from _faults(target)


def _faults(target: griffe.Object) -> Iterator[str]:
    place = f"{target.relative_package_filepath}:{target.lineno}: {target.path}"
    if not target.has_docstring:
        yield f"{place}: no docstring"
        return
    yield from _argument_faults(target, place)
    if isinstance(target, griffe.Class):
        for name, member in target.members.items():
            described = isinstance(member, griffe.Function) or member.has_labels("property")
            if not name.startswith("_") and described and not member.is_alias:
                yield from _faults(member)  # type: ignore[arg-type]


def _argument_faults(target: griffe.Object, place: str) -> Iterator[str]:
    if not isinstance(target, griffe.Function | griffe.Class) or target.has_labels("property"):
        return
    arguments = [parameter.name for parameter in target.parameters if parameter.name not in ("self", "cls")]
    described = set(_described(target))
    is_method = isinstance(target, griffe.Function) and isinstance(target.parent, griffe.Class)
    if is_method and not described and not target.has_labels("classmethod"):
        return
    missing = [name for name in arguments if name not in described]
    if missing:
        yield f"{place}: not in Args: {', '.join(missing)}"
    unknown = sorted(described - set(arguments) - set(target.members))
    if unknown:
        yield f"{place}: in Args, and no argument: {', '.join(unknown)}"


def _described(target: griffe.Object) -> Iterator[str]:
    assert target.docstring is not None
    for section in target.docstring.parsed:
        if section.kind.value in DESCRIBING:
            yield from (item.name.lstrip("*") for item in section.value)
