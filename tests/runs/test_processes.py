"""Runs in worker processes: the same table, whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from ppl_control import sweep
from ppl_control.runs import Counts, Plan, Results, Variant, conduct
from ppl_control.runs.processes import Processes
from tests.runs.marked import Marked, attempts, processes, walk


def equal(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """All numbers, but not the seconds."""
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"), check_exact=True)


def logs(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def test_dying_workers_and_failing_runs(tmp_path):
    """Seed 3 dies once, seed 5 each time, seed 7 raises; the others never hear of it."""
    seeds, log, calm = range(10), logs(tmp_path, "log"), logs(tmp_path, "calm")
    deadly = {"marked": Marked(str(log), once=(3,), always=(5,), bad=(7,))}
    found = sweep(walk(), deadly, seeds=seeds, workers=2, attempts=2, folder=tmp_path / "out", progress=False)
    assert attempts(log) == {seed: 2 if seed in (3, 5) else 1 for seed in seeds}
    assert os.getpid() not in processes(log)
    assert len(processes(log)) > 3  # three have died, and others went on

    table, quiet = found.table, sweep(walk(), {"marked": Marked(str(calm))}, seeds=seeds, progress=False).table
    assert list(table.seed) == list(seeds)
    well = [seed for seed in seeds if seed not in (5, 7)]
    equal(table.iloc[well], quiet.iloc[well])
    assert table.error[7] == "ArithmeticError: seed 7 is bad"
    assert table.error[5].startswith("given up after 2 attempts")
    assert "SIGKILL" in table.error[5]
    assert table.loc[[5, 7], ["bound", "executed", "seconds"]].isna().all(axis=None)
    assert (found.intervals().seeds == len(well)).all()
    assert "ArithmeticError" in repr(found)

    files = [json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()]
    assert sorted(int(file["run"]["seed"]) for file in files) == [seed for seed in seeds if seed != 5]
    assert {file["run"]["seed"]: file["attempts"] for file in files}["3"] == 2
    assert {file["run"]["seed"] for file in files if "error" in file} == {"7"}


DRIVER = """
import sys
from ppl_control import sweep
from tests.runs.marked import Marked, walk

if __name__ == "__main__":
    log, out, pause, workers = sys.argv[1:]
    sweep(walk(), {"marked": Marked(log, pause=float(pause))}, seeds=range(12), workers=int(workers), folder=out)
"""


def driver(tmp_path: Path, log: Path, workers: int) -> subprocess.Popen:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, script, log, tmp_path / "out", "0.2", str(workers)]
    return subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE)


def wait_for(what, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def finished(out: Path) -> set[int]:
    return {int(json.loads(file.read_text())["run"]["seed"]) for file in out.glob("*.json")}


@pytest.mark.slow
def test_a_killed_driver_takes_its_workers_along_and_repeats_no_finished_run(tmp_path):
    log, out = logs(tmp_path, "log"), tmp_path / "out"
    first = driver(tmp_path, log, 2)
    wait_for(lambda: len(list(out.glob("*.json"))) >= 4)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = finished(out)
    assert 4 <= len(kept) < 12
    wait_for(lambda: not any(map(is_alive, processes(log))), 20.0)
    begun = attempts(log)

    again = sweep(walk(), {"marked": Marked(str(log), pause=0.2)}, seeds=range(12), folder=out, progress=False)
    calm = sweep(walk(), {"marked": Marked(str(logs(tmp_path, "calm")))}, seeds=range(12), progress=False)
    equal(again.table, calm.table)
    assert finished(out) == set(range(12))
    after = attempts(log)
    assert all(after[seed] == begun[seed] == 1 for seed in kept)
    assert all(after[seed] == begun[seed] + 1 for seed in range(12) if seed not in kept)


@pytest.mark.slow
def test_ctrl_c_keeps_what_has_ended_and_says_how_to_go_on(tmp_path):
    log, out = logs(tmp_path, "log"), tmp_path / "out"
    first = driver(tmp_path, log, 1)
    wait_for(lambda: len(list(out.glob("*.json"))) >= 2)
    first.send_signal(signal.SIGINT)
    errors = first.communicate(timeout=30)[1].decode()
    kept = finished(out)
    assert 2 <= len(kept) < 12
    assert errors.splitlines()[-1] == (
        f"KeyboardInterrupt: {len(kept)} of 12 runs have ended; kept in {out}, where the same call goes on"
    )
    sweep(walk(), {"marked": Marked(str(log), pause=0.2)}, seeds=range(12), folder=out, progress=False)
    assert all(attempts(log)[seed] == 1 for seed in kept)


@pytest.mark.slow
def test_workers_stay_warm(tmp_path):
    """A run costs little beside the start of a worker: 60 of them less than two more starts."""
    begun, ended = time.perf_counter(), []

    def watch(counts: Counts) -> None:
        if counts.finished > len(ended):
            ended.append(time.perf_counter())

    plan = Plan([(Variant("walk", walk()), [Variant("marked", Marked(str(logs(tmp_path, "log"))))])], range(60))
    found = list(conduct(plan, lambda: Processes(1), results=Results(tmp_path / "out"), watch=watch))
    assert len(found) == len(ended) == 60
    assert ended[-1] - ended[0] < 2 * (ended[0] - begun)
