"""The gallery: every picture, with the heading it stands under and a way there."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from navigation import WITHOUT_SIDE
from notebook_page import NotebookPage, plain


def on_files(files: Files, config: Any) -> None:
    """Add the page."""
    shown = [_section(page) for page in config.extra["notebooks"] if page.pictures]
    content = "\n\n".join(["# Gallery", *shown, _front(config)])
    files.append(File.generated(config, "gallery.md", content=WITHOUT_SIDE + content))


def _section(page: NotebookPage) -> str:
    cards = [_card(f"{page.name}.md#{shown.anchor}", shown.address, shown.heading) for shown in page.pictures]
    return f"## [{page.title}]({page.name}.md)\n\n{_grid(cards)}"


def _front(config: Any) -> str:
    """The pictures of the front page, and those that only stand in the folder."""
    captions = config.extra["captions"]
    paths = sorted((Path(config.docs_dir) / "pictures").glob("*.png"))
    cards = []
    for path in paths:
        address = f"pictures/{path.name}"
        words = captions.get(address, path.stem.replace("_", " ").capitalize())
        cards.append(_card("index.md" if address in captions else address, address, words))
    return f"## Front page and more\n\n{_grid(cards)}" if cards else ""


def _card(target: str, address: str, words: str) -> str:
    picture, caption = f"[![{plain(words)}]({address}){{ loading=lazy }}]({target})", f"[{words}]({target})"
    return f'<figure markdown="span">{picture}\n<figcaption markdown="span">{caption}</figcaption></figure>'


def _grid(cards: list[str]) -> str:
    return '<div class="gallery" markdown="1">\n\n' + "\n\n".join(cards) + "\n\n</div>"
