"""Links as the repository has them become links of the site.

A notebook is its page, the worked problems are their page of the reference, another file is copied into the site, and
another folder is plain text. So the same page reads well in the repository and here.
"""

import os.path
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

LINK = re.compile(r"(?P<picture>!?)\[(?P<words>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)(?!\{)")
FOLDERS = {"notebooks": "course.md", "models": "reference/models.md"}


def on_files(files: Files, config: Any) -> None:
    """Turn the links of all pages, and add the files that they lead to."""
    root, docs = Path(config.config_file_path).resolve().parent.parent, Path(config.docs_dir).resolve()
    copied: set[str] = set()
    config.extra["captions"] = {}
    for page in list(files.documentation_pages()):
        base = root if page.src_uri == "index.md" else (docs / page.src_uri).parent
        page.content_string = _turned(page, base, root, docs, copied, config.extra["captions"])
    for path in sorted(copied):
        files.append(File.generated(config, f"files/{path}", content=(root / path).read_bytes()))


def _turned(page: File, base: Path, root: Path, docs: Path, copied: set[str], captions: dict[str, str]) -> str:
    def turned(found: re.Match[str]) -> str:
        path, hash_, anchor = found["target"].partition("#")
        target = Path(os.path.normpath(base / path))
        if not path or "://" in path or not target.is_relative_to(root) or not target.exists():
            return found.group()  # elsewhere, or broken: then the build says so
        address = _address(target, root, docs)
        if address is None:
            return found["words"]
        if address.startswith("files/"):
            copied.add(address.removeprefix("files/"))
        if found["picture"]:
            captions[address] = found["words"]
        here = os.path.relpath(address, os.path.dirname(page.src_uri) or ".")
        return f"{found['picture']}[{found['words']}]({here}{hash_}{anchor})"

    return LINK.sub(turned, page.content_string)


def _address(target: Path, root: Path, docs: Path) -> str | None:
    """Where a path of the repository is in the site; None: a folder that has no page."""
    inside = target.relative_to(root).as_posix()
    if target.is_dir():
        return FOLDERS.get(inside)
    if target.is_relative_to(docs):
        inside = target.relative_to(docs).as_posix()
        return f"{inside.removesuffix('.ipynb')}.md" if inside.endswith(".ipynb") else inside
    return f"files/{inside}"
