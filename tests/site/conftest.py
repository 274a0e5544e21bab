"""The site, built once for all processes of a test run, and a small project to break."""

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock

from tests.site.building import ROOT, build, make_project


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """This project's site, built by the Makefile's command; processes that run beside this one wait for it."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared if worker_id == "master" else shared.parent) / "site"
    with FileLock(f"{folder}.lock"):
        if not (folder / "built").exists():
            result = build(ROOT, folder)
            assert result.returncode == 0, result.stderr
            (folder / "built").touch()
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("sound") / "project")


@pytest.fixture
def project(_sound: Path, tmp_path: Path) -> Path:
    """A small project of its own for each test."""
    return shutil.copytree(_sound, tmp_path / "project")
