"""The theory page and the list made from it: each numbered equation with the function that computes it."""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathml import TAG
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from package import load

THEORY = "theory.md"
PARTS = re.compile(r"^#+ +(?P<heading>.+?) *$|\$\$(?P<tex>.+?)\$\$", re.MULTILINE | re.DOTALL)
PARAGRAPH = re.compile(r"\s*^Code: (.+?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)+)`")
INTRODUCTION = f"""# From equation to code

Each numbered equation of [the theory]({THEORY}) with the functions that compute it, made from that page.
"""


@dataclass(frozen=True)
class Equation:
    """A numbered equation, the heading it stands under and the dotted paths that compute it."""

    number: int
    tex: str
    heading: str
    code: tuple[str, ...]


def on_files(files: Files, config: Any) -> None:
    """Add the list."""
    path = Path(config.docs_dir) / THEORY
    if not path.is_file():
        return  # where the navigation names it, MkDocs says so
    try:
        equations = parse(path.read_text(encoding="utf-8"))
        _check(equations, config)
    except ValueError as error:
        raise PluginError(f"{THEORY}: {error}") from error
    files.append(File.generated(config, "equations.md", content=f"{INTRODUCTION}\n{_listed(equations)}\n"))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Functions named on the theory page lead to the reference."""
    if page.file.src_uri != THEORY:
        return markdown
    return PARAGRAPH.sub(lambda found: CODE.sub(r"[`\1`][\1]", found.group()), markdown)


def parse(text: str) -> list[Equation]:
    """The numbered equations of the page, in their order.

    Raises:
        ValueError: an equation without code, or numbers that are not 1, 2, 3, …
    """
    equations: list[Equation] = []
    heading = ""
    for part in PARTS.finditer(text):
        heading = part["heading"] or heading
        number = TAG.search(part["tex"] or "")
        if number is None:
            continue
        n = int(number.group(1))
        if n != len(equations) + 1:
            raise ValueError(f"equation ({n}) where ({len(equations) + 1}) was expected")
        paragraph = PARAGRAPH.match(text, part.end())
        code = tuple(CODE.findall(paragraph.group(1))) if paragraph else ()
        if not code:
            raise ValueError(f"equation ({n}) is not followed by a paragraph 'Code: ' with a dotted path in backticks")
        equations.append(Equation(n, part["tex"].strip(), heading, code))
    if not equations:
        raise ValueError("no numbered equation")
    return equations


def _check(equations: list[Equation], config: Any) -> None:
    package = load(config)
    for equation in equations:
        for path in equation.code:
            inside = path.removeprefix(f"{package.name}.")
            try:
                known = inside != path and bool(package[inside])
            except (KeyError, ValueError):
                known = False
            if not known:
                raise ValueError(f"equation ({equation.number}): there is no {path}")


def _listed(equations: list[Equation]) -> str:
    """A list and no table of two columns: the widest formulas take the whole width of the text."""
    entries = "".join(_entry(equation) for equation in equations)
    return f'<dl class="equations">{entries}</dl>'


def _entry(equation: Equation) -> str:
    n = equation.number
    code = "<br>".join(
        f'<autoref identifier="{path}"><code>{_breakable(path)}</code></autoref>' for path in equation.code
    )
    where = f'<a href="theory.html#equation-{n}">{html.escape(equation.heading)}</a>'
    formula = f'<div class="arithmatex">\\[{html.escape(equation.tex)}\\]</div>'
    return f"<dt>{where}{formula}</dt><dd>{code}</dd>"


def _breakable(path: str) -> str:
    """A long path may break after its dots and underscores."""
    return re.sub(r"([._])", r"\1<wbr>", path)
