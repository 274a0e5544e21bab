"""Patterns in the navigation stand for the pages they match, in the order in which these were made."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files

WITHOUT_SIDE = "---\nhide: [navigation]\n---\n\n"  # begins a page that is alone: a side of one line says nothing


def on_files(files: Files, config: Any) -> None:
    """Fill in the patterns."""
    pages = [file.src_uri for file in files.documentation_pages()]
    named = set(_leaves(config.nav))
    config.nav = _filled(config.nav, [page for page in pages if page not in named])


def _leaves(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from _leaves(inner)


def _filled(entries: list[Any], pages: list[str]) -> list[Any]:
    filled: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            filled.append({title: _filled(x, pages) if isinstance(x, list) else x for title, x in entry.items()})
        elif "*" in entry:
            depth = entry.count("/")
            found = [page for page in pages if page.count("/") == depth and fnmatchcase(page, entry)]
            if not found:
                raise PluginError(f"navigation: no page matches {entry!r}")
            filled += found
        else:
            filled.append(entry)
    return filled
