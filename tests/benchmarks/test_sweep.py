"""What a sweep costs beside its runs: small fits, one worker, one thread; the floor is the same runs in a bare loop.

Run with ``make bench``. The start of a worker is reported apart, and counted once.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ppl_control.runs import Counts, Plan, Results, Variant, conduct, crew_of
from ppl_control.runs.crew import Crew
from ppl_control.runs.processes import Processes
from ppl_control.runs.workshop import Workshop
from tests.runs.marked import Marked, walk

N, WARM = 200, 20  # runs, of which the first are left out
BUDGET = 0.05  # seconds a run


def plan(log: str) -> Plan:
    return Plan([(Variant("walk", walk()), [Variant("marked", Marked(log))])], range(N))


def measured(crew: Callable[[], Crew], folder: Path) -> dict[str, float]:
    """Seconds to the first result, and seconds a run after the first few: median and mean."""
    ended, begun = [], time.perf_counter()

    def watch(counts: Counts) -> None:
        if counts.finished > len(ended):
            ended.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as log:
        for _ in conduct(plan(log), crew, results=Results(folder), watch=watch):
            pass
    gaps = [late - early for early, late in zip(ended[WARM:], ended[WARM + 1 :], strict=False)]
    return {"start": ended[0] - begun, "median": statistics.median(gaps), "mean": statistics.fmean(gaps)}


def floor() -> float:
    """Seconds a run in a bare loop, median."""
    workshop, times = Workshop(), []
    with tempfile.TemporaryDirectory() as log:
        for job in plan(log).jobs:
            begun = time.perf_counter()
            workshop.make(job)
            times.append(time.perf_counter() - begun)
    return statistics.median(times[WARM:])


CREWS: dict[str, Callable[[], Crew]] = {
    "this process": crew_of(1, None, 1, keep=False),
    "a process": lambda: Processes(1),
    "a Ray cluster": crew_of(1, "local", 1, keep=False),
}


@pytest.mark.parametrize("name", CREWS)
def test_overhead_of_a_run(name: str, benchmark, tmp_path: Path) -> None:
    # In a process of its own: Ray has opinions on the one that it is started in.
    command = [sys.executable, "-m", "tests.benchmarks.test_sweep", name, str(tmp_path / "out")]
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    done = benchmark.pedantic(
        lambda: subprocess.run(command, capture_output=True, text=True, check=True, env=environment), rounds=1
    )
    found = json.loads(done.stdout.splitlines()[-1])
    overhead = found["mean"] - found["floor"]
    benchmark.extra_info.update(found)
    print(
        f"\n{name}: first result after {found['start']:.2f} s, then {1e3 * found['mean']:.1f} ms a run "
        f"(median {1e3 * found['median']:.1f}), of which the run itself {1e3 * found['floor']:.1f}: "
        f"overhead {1e3 * overhead:.1f} ms"
    )
    assert overhead < BUDGET


if __name__ == "__main__":
    print(json.dumps(measured(CREWS[sys.argv[1]], Path(sys.argv[2])) | {"floor": floor()}))
