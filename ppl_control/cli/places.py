"""Where results shall go: checked before any work, so that none is lost for want of a place."""

from __future__ import annotations

from pathlib import Path

__all__ = ["require_file", "require_folder"]


def require_file(option: str, path: Path | None) -> None:
    """Raise a ValueError where no file can be written; None is no file."""
    if path is not None and _kind(option, path) == "folder":
        raise ValueError(f"{option}: {path} is a folder, expected a file")


def require_folder(option: str, path: Path | None) -> None:
    """Raise a ValueError where no folder can be; None is none."""
    if path is not None and _kind(option, path) == "file":
        raise ValueError(f"{option}: {path} is a file, expected a folder")


def _kind(option: str, path: Path) -> str | None:
    """What is there: "folder", "file" or nothing yet."""
    try:
        if "\0" in str(path):
            raise ValueError(f"{option}: a path has no null byte, got {str(path)!r}")
        if path.is_dir():
            return "folder"
        if path.exists():
            return "file"
        above = next((folder for folder in path.parents if folder.exists()), None)
    except OSError as error:
        raise ValueError(f"{option}: {str(path)[:100]!r} cannot be: {error.strerror}") from error
    if above is not None and not above.is_dir():
        raise ValueError(f"{option}: {above} is a file, so that {path} cannot be in it")
    return None
