"""The theory page as data: its numbered equations and the code that each names."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["EQUATIONS", "INLINE", "PAGE", "Equation", "resolve"]

PAGE = Path(__file__).parents[2] / "notebooks" / "theory.md"
TEXT = PAGE.read_text(encoding="utf-8")
DISPLAY = re.compile(r"^\$\$\n(.*?)\n\$\$$(?:\n\n(?=Code: )(.*?)$)?", re.DOTALL | re.MULTILINE)
TAG = re.compile(r"\s*\\tag\{(\d+)\}$")


@dataclass(frozen=True)
class Equation:
    """One display block: its number, its formula without the number, and the paths of its paragraph of code."""

    number: int
    formula: str
    paths: tuple[str, ...]


def _read() -> list[Equation]:
    found = []
    for body, code in DISPLAY.findall(TEXT):
        tag = TAG.search(body)
        assert tag is not None, f"a display block without a number: {body}"
        found.append(Equation(int(tag[1]), TAG.sub("", body), tuple(re.findall(r"`([^`]+)`", code))))
    return found


def resolve(path: str) -> Any:
    """The object at the end of a dotted path: the longest importable module, then attributes."""
    names = path.split(".")
    for split in range(len(names), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(names[:split]))
        except ModuleNotFoundError:
            continue
        for name in names[split:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(path)


EQUATIONS = _read()
INLINE = re.findall(r"\$([^$\n]+)\$", re.sub(r"```.*?```", "", DISPLAY.sub("", TEXT), flags=re.DOTALL))
