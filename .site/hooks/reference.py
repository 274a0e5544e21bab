"""The reference, from the docstrings: the public face, a page for each public submodule, and the modules inside."""

from typing import Any

import griffe
from docstrings import escaped
from mkdocs.structure.files import File, Files
from package import address, exported, load, modules, resolved

HIDDEN = {"cli", "conftest", "models"}  # the command line has its own help; worked problems have their own page
SPLIT = {"inference", "inverse"}  # large enough for a page for each of their folders

INNER = "---\ntitle: {title}\nsearch: {{boost: 0.5}}\n---\n\n# Inside {package}.{title}\n"

PUBLIC = "---\nsearch: {boost: 4}\n---\n\n"  # who looks for a name finds its description first


def on_files(files: Files, config: Any) -> None:
    """Add the pages."""
    package = load(config)
    public = config.extra["public"]
    pages = {"index": _face(package)}
    for name in public:
        module = resolved(package, name)
        pages[name] = _problems(module) if name == "models" else _submodule(package, module)
    shown = _shown(package, public)
    for title, inside in _inner(package).items():
        sections = [_section(module, 2, names) for module in inside if (names := _names(module, shown))]
        if sections:
            head = INNER.format(title=title, package=package.name)
            pages[f"inner/{title}"] = "\n".join([head, *sections])
    for name, content in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=content))


def _face(package: griffe.Module) -> str:
    """Every name of the package, grouped by the folder it comes from, in the order in which data flows."""
    groups: dict[str, list[str]] = {}
    for name in exported(package):
        folder = resolved(package, name).path.split(".")[1]
        groups.setdefault(folder, []).append(name)
    parts = [f"{PUBLIC}# Reference\n\n{_summary(package)}\n"]
    for folder, names in groups.items():
        parts.append(f"## {folder}\n\n{_summary(resolved(package, folder))}\n")
        for name in names:
            module = resolved(package, name).is_module
            parts.append(f"See [`{package.name}.{name}`]({name}.md).\n" if module else _one(address(package, name), 3))
    return "\n".join(parts)


def _submodule(package: griffe.Module, module: griffe.Module) -> str:
    """Names that are on the public face are shown there."""
    face = {resolved(package, name).path: name for name in exported(package)}
    links, own = [], []
    for name in exported(module):
        path = resolved(module, name).path
        if path in face:
            links.append(f"[`{name}`][{address(package, face[path])}]")
        else:
            own.append(name)
    parts = [f"{PUBLIC}# {module.path}\n\n{_summary(module)}\n"]
    if links:
        parts.append(f"On [the public face](index.md): {', '.join(links)}.\n")
    for name in own:
        target = resolved(module, name)
        parts.append(_section(target, 2, exported(target)) if target.is_module else _one(address(module, name), 2))
    return "\n".join(parts)


def _problems(models: griffe.Module) -> str:
    """The worked problems, one after the other."""
    parts = [f"{PUBLIC}# {models.path}\n\n{_summary(models)}\n"]
    parts += [_section(module, 2, exported(module)) for module in modules(models) if module is not models]
    return "\n".join(parts)


def _shown(package: griffe.Module, public: list[str]) -> set[str]:
    """Where the names are defined that a page of the public face or of a submodule shows."""
    owners = [package, *(resolved(package, name) for name in public)]
    targets = [resolved(owner, name) for owner in owners for name in exported(owner)]
    inside = [resolved(target, name) for target in targets if target.is_module for name in exported(target)]
    return {target.path for target in [*targets, *inside]}


def _inner(package: griffe.Module) -> dict[str, list[griffe.Module]]:
    groups: dict[str, list[griffe.Module]] = {}
    for module in modules(package):
        parts = module.path.split(".")[1:]
        if not parts or parts[0] in HIDDEN:
            continue
        deep = parts[0] in SPLIT and len(parts) > 1 and package[".".join(parts[:2])].is_subpackage
        groups.setdefault(".".join(parts[: 2 if deep else 1]), []).append(module)
    return groups


def _names(module: griffe.Module, shown: set[str]) -> list[str]:
    """What a module defines itself and no other page shows."""
    return [name for name in exported(module) if not module[name].is_alias and module[name].path not in shown]


def _section(module: griffe.Module, level: int, names: list[str]) -> str:
    """A module under its last name, since its page names the folder and each heading below the whole path."""
    parts = [f"{'#' * level} {module.name}\n\n{_summary(module)}\n"]
    return "\n".join([*parts, *(_one(address(module, name), level + 1) for name in names)])


def _one(path: str, level: int) -> str:
    return f"::: {path}\n    options:\n      heading_level: {level}\n"


def _summary(module: griffe.Object) -> str:
    return escaped(module.docstring.value) if module.docstring else ""
