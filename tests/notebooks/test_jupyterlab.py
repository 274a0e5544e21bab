"""A reader's first minutes: JupyterLab in a browser runs a notebook, and a moved knob changes its picture."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import chromium

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "01_the_model_and_the_posterior.ipynb"
FOLDERS = (
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)
STARTS = 60  # seconds for the server
PATIENCE = 120_000  # milliseconds for any one thing, on a busy machine


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def opened() -> list[str]:
    """What `make notebooks` gives to JupyterLab."""
    recipe = subprocess.run(["make", "-n", "notebooks"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    program, *arguments = shlex.split(recipe.splitlines()[-1])
    assert program.endswith("/jupyter-lab")
    return arguments


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a JupyterLab of our own serves a copy of the notebook; it knows no settings of the user's."""
    folders = {name: tmp_path / name.lower() for name in FOLDERS}
    shown = folders["JUPYTERLAB_SETTINGS_DIR"] / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    shown.parent.mkdir(parents=True)
    shown.write_text(json.dumps({"windowingMode": "none"}), encoding="utf-8")  # all cells are on the page, seen or not
    served = tmp_path / "notebooks"
    served.mkdir()
    shutil.copy(NOTEBOOK, served)
    port = free_port()
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *opened(), "--no-browser", "--allow-root", "--ip=127.0.0.1",
             f"--port={port}", "--IdentityProvider.token=", "--LabApp.news_url=None",
             "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
            env=os.environ | {name: str(folder) for name, folder in folders.items()} | {"OMP_NUM_THREADS": "1"},
            cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait(f"http://127.0.0.1:{port}/api/status", server, tmp_path / "log")
            yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK.name}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + STARTS
    while True:
        try:
            urllib.request.urlopen(url).close()
            return
        except urllib.error.URLError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"JupyterLab does not answer:\n{log.read_text(encoding='utf-8')}") from None
            time.sleep(0.2)


def test_a_notebook_runs_from_the_start_and_its_knobs_turn(address: str):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(PATIENCE)
        crashes: list[str] = []
        page.on("pageerror", lambda error: crashes.append(str(error)))
        page.goto(address)
        expect(page.locator(".jp-KernelName")).to_contain_text("Python 3", timeout=PATIENCE)
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_role("menuitem", name="Restart Kernel and Run All").first.click()
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
        expect(prompts.first).to_have_text("[*]:", timeout=PATIENCE)  # the saved numbers are gone: it does run
        count = prompts.count()
        for number in range(count):
            expect(prompts.nth(number)).to_have_text(f"[{number + 1}]:", timeout=PATIENCE)
        assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
        assert page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0

        explorer = page.locator(".jp-OutputArea-output", has=page.locator(".widget-slider")).first
        explorer.scroll_into_view_if_needed()
        picture, knob = explorer.locator("img"), explorer.locator(".widget-slider").first
        before, value = picture.get_attribute("src"), knob.locator(".widget-readout").inner_text()
        knob.locator(".noUi-handle").press("ArrowRight")
        expect(knob.locator(".widget-readout")).not_to_have_text(value, timeout=PATIENCE)
        expect(picture).not_to_have_attribute("src", str(before), timeout=PATIENCE)
        expect(explorer.get_by_text("solved in")).to_be_visible(timeout=PATIENCE)
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
        assert not crashes
