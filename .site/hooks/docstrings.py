"""Docstrings are prose with formulas in plain Unicode: ``_``, ``*`` and ``|`` in them are signs, not Markdown."""

import re
from typing import Any

import griffe

__all__ = ["PlainFormulas", "escaped"]

KEPT = re.compile(
    r"""(``.+?``|`[^`\n]+`                      # code
    |^[ ]*>>>.*?(?:\n[ ]*$|\Z)               # a doctest, to the next empty line
    |(?<=\n)\n[ ]{4}[^\n]*(?:\n[ ]{4}[^\n]*)*  # after an empty line: indented, a formula as it stands
    |^[ ]*[*-][ ]                            # a bullet
    |^[ ]*\*{1,2}\w+:)                       # *args: in Args""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)  # the parser knows the plural only
SIGNS = re.compile(r"([\\_*|<>\[\]{}$])")


class PlainFormulas(griffe.Extension):
    """Escape what Markdown would read as markup."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Escape one docstring, before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub("Examples:", escaped(obj.docstring.value))


def escaped(text: str) -> str:
    """The text with every sign of Markdown escaped, but for what is code, or a formula on lines of its own."""
    pieces = KEPT.split(text)
    return "".join(piece if index % 2 else _plain(piece) for index, piece in enumerate(pieces))


def _plain(text: str) -> str:
    """An underscore within a word is none of Markdown's, and argument names have them."""
    return SIGNS.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    sign = match.group()
    if sign in "<>":
        return {"<": "&lt;", ">": "&gt;"}[sign]
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    if sign == "_" and before.isalnum() and after.isalnum():
        return sign
    return f"\\{sign}"
