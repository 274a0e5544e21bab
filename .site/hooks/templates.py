"""Pages of bring_your_own: each shows the template that stands beside it, and offers it for download."""

from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

FOLDER = "bring_your_own/"


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Append the template to its page."""
    if not page.file.src_uri.startswith(FOLDER):
        return markdown
    template = (Path(config.docs_dir) / page.file.src_uri).with_suffix(".py")
    if not template.is_file():
        raise PluginError(f"{page.file.src_uri}: its template {template.name} is missing")
    code = template.read_text(encoding="utf-8").rstrip()
    link = f"[Download `{template.name}`]({template.name}){{ download .download }}"
    return f"{markdown.rstrip()}\n\n## The template\n\n{link}\n\n````python\n{code}\n````\n"
