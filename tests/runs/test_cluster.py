"""Runs on a real Ray cluster, on this machine's loopback device."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ppl_control import SoftValueIteration, sweep
from ppl_control.cli.methods import METHODS
from ppl_control.models import lottery
from tests.runs.marked import Marked, attempts, processes, walk

COMMAND = Path(sys.executable).with_name("ppl-control")
SCRIPT = Path(__file__).with_name("ray_cluster.py")


@pytest.fixture
def surroundings() -> Iterator[dict[str, str]]:
    """An environment for Ray: loopback only, no usage statistics, sockets under a path short enough for them."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    (Path(folder) / "ray").mkdir()
    yield os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # there Ray stays on the loopback device
        "RAY_TMPDIR": folder,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    shutil.rmtree(folder, ignore_errors=True)


def ran(command: list[Any], surroundings: dict[str, str]) -> str:
    """Standard output of a command; whatever it started is gone afterwards."""
    started = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, errors = started.communicate(timeout=240)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    assert started.returncode == 0, errors
    return out


def test_the_command_on_a_cluster_of_its_own(surroundings, tmp_path):
    arguments = ["sweep", "lottery", "--methods", "fixed", "--seeds", "0:2", "--out", tmp_path / "out", "--json"]
    command = [COMMAND, *arguments, "--address", "local", "--workers", "1"]
    rows = json.loads(ran(command, surroundings))["rows"]
    assert [row["seed"] for row in rows] == [0, 1]
    assert len(list((tmp_path / "out").iterdir())) == 2
    method = {"fixed_dynamics": METHODS["fixed_dynamics"]}
    here = sweep({"lottery": lottery.model}, method, seeds=(0, 1), folder=tmp_path / "out", progress=False)
    assert here.as_dict()["rows"] == rows  # read, not made again: the seconds too


@pytest.mark.slow
def test_a_worker_killed_and_a_node_removed_change_nothing(surroundings, tmp_path):
    (log := tmp_path / "log").mkdir()
    (calm := tmp_path / "calm").mkdir()
    out = tmp_path / "out"
    found = json.loads(ran([sys.executable, SCRIPT, log, out], surroundings))
    table = pd.DataFrame(found["rows"])
    quiet = sweep(walk(), {"marked": Marked(str(calm))}, seeds=range(64), progress=False).table
    pd.testing.assert_frame_equal(
        table.drop(columns="seconds").astype({"error": quiet.error.dtype}),
        quiet.drop(columns="seconds"),
        check_exact=True,
        check_dtype=False,
    )
    assert math.isfinite(table.seconds.sum())

    assert 15 < found["removed"] < 64  # midway
    tried = attempts(log)
    twice = {seed for seed, n in tried.items() if n > 1}
    assert set(tried) == set(range(64))
    assert set(tried.values()) == {1, 2}
    assert int(found["killed"].split(".")[0]) in twice
    assert len(twice) == 2  # one for the worker, one for the node
    assert len(processes(log)) == 3  # two, and one in place of the killed one: the node's place is gone

    files = [json.loads(file.read_text()) for file in out.iterdir()]
    assert sorted(int(file["run"]["seed"]) for file in files) == list(range(64))
    assert {int(file["run"]["seed"]) for file in files if file["attempts"] == 2} == twice


def test_nobody_at_the_address(tmp_path):
    with pytest.raises(ValueError, match=r"address: no Ray cluster at '127\.0\.0\.1:1': .*refused"):
        sweep(walk(), {"exact": SoftValueIteration()}, address="127.0.0.1:1", folder=tmp_path)
    with pytest.raises(ValueError, match="address: no Ray cluster at 'nowhere': Invalid address"):
        sweep(walk(), {"exact": SoftValueIteration()}, address="nowhere", folder=tmp_path)
