"""One notebook as Markdown and pictures, from its committed outputs; nothing is run."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from knobs import FRAMES, figure
from nbconvert import MarkdownExporter
from traitlets.config import Config

__all__ = ["NotebookPage", "Picture", "plain", "read"]

TEMPLATE = Path(__file__).with_name("notebook.md.j2")
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
PRIORITY = [FRAMES, "text/html", "image/png", "text/plain"]


@dataclass(frozen=True)
class Picture:
    """A picture of a page, the anchor it has there and the heading it stands under."""

    address: str
    anchor: str
    heading: str


@dataclass
class NotebookPage:
    """What one notebook becomes; filled in the order of its cells."""

    name: str
    heading: str = ""
    markdown: str = ""
    first_cell: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its first heading."""
        found = HEADING.search(self.first_cell)
        if found is None:
            raise ValueError(f"{self.name}.ipynb: the first cell has no heading")
        return found.group(1)

    def prose(self, source: str) -> str:
        """A cell of text; remembers the last heading."""
        self.heading = next(reversed(HEADING.findall(source)), self.heading)
        if self.first_cell:
            return source
        self.first_cell = source
        link = f"[Download this notebook]({self.name}.ipynb){{ download .download }}"
        return HEADING.sub(lambda found: f"{found.group()}\n\n{link}\n", source, count=1)

    def picture(self, png: str) -> str:
        """A picture as a figure with an anchor."""
        anchor, address = self._remember(self._keep(png))
        return _block(
            f'<figure class="picture" id="{anchor}"><img src="{address}" alt="{plain(self.heading)}"></figure>'
        )

    def knobs(self, frames: Any) -> str:
        """Sliders over saved pictures."""
        anchor = f"picture-{len(self.pictures) + 1}"
        made = figure(anchor, plain(self.heading), frames, self._keep)
        self._remember(re.search(r'<img src="([^"]*)"', made).group(1))  # type: ignore[union-attr]
        return _block(made)

    def _remember(self, address: str) -> tuple[str, str]:
        anchor = f"picture-{len(self.pictures) + 1}"
        self.pictures.append(Picture(address, anchor, self.heading))
        return anchor, address

    def _keep(self, png: str) -> str:
        """Named by its content, so that a picture which several knobs share is one file."""
        content = base64.b64decode(png)
        address = f"{self.name}_pictures/{hashlib.sha256(content).hexdigest()[:12]}.png"
        self.files[address] = content
        return address


def read(path: Path) -> NotebookPage:
    """Convert one notebook.

    Raises:
        ValueError: an output of code that no page can show, or a first cell without a heading.
    """
    notebook = nbformat.read(path, as_version=4)
    page = NotebookPage(path.stem)
    settings = Config({"NbConvertBase": {"display_data_priority": PRIORITY}})
    exporter = MarkdownExporter(config=settings, raw_template=TEMPLATE.read_text(encoding="utf-8"), preprocessors=[])
    shown = {"prose": page.prose, "picture": page.picture, "knobs": page.knobs, "table": _table, "printed": _printed}
    for name, function in shown.items():
        exporter.register_filter(name, function)
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if "data" in output and not set(PRIORITY) & set(output.data):
                raise ValueError(f"{path.name}, cell {number}: no page can show {sorted(output.data)}")
    page.markdown, _ = exporter.from_notebook_node(notebook)
    return page


def plain(heading: str) -> str:
    """A heading as the words that stand for a picture under it."""
    return re.sub(r"[$\\{}`*\"<>\[\]]", "", heading)


def _table(html: str) -> str:
    """A DataFrame's table, without its own style; wide ones scroll."""
    lines = (line.strip() for line in STYLE.sub("", html).replace(' border="1"', "").splitlines())
    return _block(f'<div class="output table" tabindex="0">{"".join(line for line in lines if line)}</div>')


def _printed(text: str) -> str:
    return f"\n\n````{{ .text .output .no-copy }}\n{text.rstrip()}\n````\n\n" if text.strip() else ""


def _block(html: str) -> str:
    return f"\n\n{html}\n\n"
