"""The README is the front page."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from navigation import WITHOUT_SIDE


def on_files(files: Files, config: Any) -> None:
    """Add the front page; ``repository`` then turns its links."""
    text = (Path(config.config_file_path).parent.parent / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=WITHOUT_SIDE + text))
