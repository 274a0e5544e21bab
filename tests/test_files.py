"""Files that appear whole or not at all, whatever happens to who writes them."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ppl_control.files import clear_leftovers, open_regular, whole_file


def write_and_hang(path: Path, ready: Any) -> None:
    """Begin a file and never end it."""
    with whole_file(path) as file:
        file.write(b"half")
        file.flush()
        ready.set()
        signal.pause()


def killed_while_writing(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    child = context.Process(target=write_and_hang, args=(path, ready))
    child.start()
    assert ready.wait(60)
    clear_leftovers(path)
    assert len(list(path.parent.glob(f".{path.name}.*.part"))) == 1  # it is being written: it stays
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()


def test_a_killed_writer_leaves_the_old_file_and_one_that_is_cleared_away(tmp_path: Path):
    path, other = tmp_path / "a.pt", tmp_path / ".b.pt.x.part"
    path.write_bytes(b"whole")
    other.write_bytes(b"somebody else's")
    killed_while_writing(path)
    assert path.read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 3
    clear_leftovers(path)
    assert sorted(tmp_path.iterdir()) == [other, path]


def test_an_error_leaves_nothing(tmp_path: Path):
    def write() -> None:
        with whole_file(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_folder_there_is_nothing_to_clear(tmp_path: Path):
    clear_leftovers(tmp_path / "none" / "a")


def test_only_files_with_an_end_are_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ValueError, match="no regular file"):
            open_regular(path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
