"""Formulas become MathML when the site is built, so that no page needs a script for them."""

import html
import re
from typing import Any

from mathml import TAG, FormulaError, mathml
from mkdocs.exceptions import PluginError

MARKED = re.compile(
    r'<(?P<kind>span|div) class="arithmatex">\\(?P<bracket>[(\[])(?P<tex>.*?)\\[)\]]</(?P=kind)>', re.DOTALL
)


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """Replace what pymdownx.arithmatex marked."""
    try:
        for item in page.toc:
            _clean(item)
        content = MARKED.sub(_rendered, content)
    except FormulaError as error:
        raise PluginError(f"{page.file.src_uri}: no MathML for the formula: {error}") from error
    if "arithmatex" in content:
        raise PluginError(f"{page.file.src_uri}: a formula was left as it stood")
    return content


def _rendered(match: re.Match[str]) -> str:
    bracket, tex = match["bracket"], match["tex"]
    tex, display = html.unescape(tex).strip(), bracket == "["
    if not display:
        return mathml(tex)
    number = TAG.search(tex)
    formula = f'<div class="formula">{mathml(TAG.sub("", tex), display=True)}</div>'
    if number is None:
        return f'<div class="equation">{formula}</div>'
    n = number.group(1)
    return f'<div class="equation" id="equation-{n}">{formula}<a class="number" href="#equation-{n}">({n})</a></div>'


def _clean(item: Any) -> None:
    """The table of contents shows a heading's formula as MathML too."""
    item.title = re.sub(r"\\\((.*?)\\\)", lambda m: mathml(html.unescape(m.group(1))), item.title)
    for child in item.children:
        _clean(child)
