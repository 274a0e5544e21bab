"""Notebooks become pages; the page of each is kept in ``extra`` for the course page and the gallery."""

from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from notebook_page import NotebookPage, read


def on_files(files: Files, config: Any) -> None:
    """Add a page and its pictures for each notebook."""
    pages: list[NotebookPage] = []
    for path in sorted(Path(config.docs_dir).glob("*.ipynb")):
        try:
            page = read(path)
        except ValueError as error:
            raise PluginError(str(error)) from error
        pages.append(page)
        files.append(File.generated(config, f"{page.name}.md", content=page.markdown))
        for address, content in page.files.items():
            files.append(File.generated(config, address, content=content))
    config.extra["notebooks"] = pages
