"""Files that appear whole or not at all."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from ppl_control.settings import shown

__all__ = ["clear_leftovers", "file_path", "open_regular", "whole_file"]


def file_path(name: str, value: Any) -> Path:
    """Where a file is, or shall be.

    Raises:
        ValueError: no path, or that of a folder.
    """
    try:
        path = Path(value)
        folder = path.is_dir()
    except Exception as error:  # no text, or longer than the disk allows
        raise ValueError(f"{name}: expected the path of a file, got {shown(value)}") from error
    if folder or "\0" in str(path):
        raise ValueError(f"{name}: expected the path of a file, got {shown(value)}{', a folder' if folder else ''}")
    return path


@contextmanager
def whole_file(path: str | Path, mode: str = "wb") -> Iterator[IO]:
    """Open a file for writing that replaces ``path`` only once it is complete and on disk.

    A process killed meanwhile leaves its incomplete file beside ``path``; see ``clear_leftovers``.

    Args:
        path: where the file shall be; its folder is made if need be.
        mode: ``"wb"`` or ``"w"`` (UTF-8 text).

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder) / "a.txt", "w") as file:
        ...         _ = file.write("all of it")
        ...     (Path(folder) / "a.txt").read_text()
        'all of it'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = _locked(target)
    try:
        with os.fdopen(handle, mode, encoding="utf-8" if "b" not in mode else None) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, 0o666 & ~umask)
            os.replace(name, target)  # still locked: nobody takes it for a leftover
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file for reading that has an end: no folder, pipe or device.

    Raises:
        ValueError: something else stands there, or it may not be read.
        FileNotFoundError: nothing does.
    """
    place = Path(path)
    if place.exists() and not place.is_file():
        raise ValueError("it is no regular file")
    try:
        return open(place, "rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(error.strerror or "it cannot be read") from error


def clear_leftovers(path: str | Path) -> None:
    """Remove what processes that were killed while writing ``path`` left beside it; files being written stay.

    Whoever writes holds a lock, which the system takes back when the process ends, however it does.
    """
    target = Path(path)
    if not target.parent.is_dir():
        return
    before, after = _around(target)
    for entry in os.scandir(target.parent):
        if not (entry.name.startswith(before) and entry.name.endswith(after) and entry.is_file(follow_symlinks=False)):
            continue
        with suppress(OSError), open(entry.path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(entry.path)


def _around(target: Path) -> tuple[str, str]:
    """How the name of an incomplete file begins and ends."""
    return f".{target.name}.", ".part"


def _locked(target: Path) -> tuple[int, str]:
    """A new incomplete file, locked."""
    before, after = _around(target)
    while True:
        handle, name = tempfile.mkstemp(prefix=before, suffix=after, dir=target.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # else it was taken for a leftover before it was locked
            return handle, name
        os.close(handle)
