"""Every internal link, picture and anchor of the rendered pages leads somewhere, or the build fails."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mkdocs.exceptions import PluginError

ADDRESSES = {"href", "src", "poster"}


class Page(HTMLParser):
    """The anchors of a page and the addresses it mentions."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.addresses: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names and what it points to."""
        for key, value in attrs:
            if value and (key == "id" or (tag == "a" and key == "name")):
                self.anchors.add(value)
            elif value is not None and key in ADDRESSES:
                self.addresses.add(value)


def on_post_build(config: Any) -> None:
    """Check the whole site."""
    broken = check(Path(config.site_dir))
    if broken:
        raise PluginError("\n".join(["links that lead nowhere:", *broken]))


def check(site: Path) -> list[str]:
    """One line for each broken link of a built site."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        for address in sorted(page.addresses):
            problem = _problem(address, path, site.resolve(), pages)
            if problem:
                broken.append(f"  {path.relative_to(site.resolve())}: {address}: {problem}")
    return broken


def _problem(address: str, path: Path, site: Path, pages: dict[Path, Page]) -> str | None:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None  # elsewhere: not ours to keep
    named = unquote(parts.path)
    target = (
        path if not named else (site / named.lstrip("/") if named.startswith("/") else path.parent / named).resolve()
    )
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "no such file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "no such anchor"
    return None
