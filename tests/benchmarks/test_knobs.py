"""How long a moved knob takes: the exact solution, and the picture, for every explorer of every notebook.

The promise is that the solution takes less than 100 ms.
"""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WITH_KNOBS = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if "explore(" in path.read_text(encoding="utf-8")]

# Every knob goes through its values while the others stand at the start.
MEASURE = """
import json, time
from ppl_control.plotting.frames import picture
measured = []
for shown in explorers:
    for name, knob in shown.knobs.items():
        for value in knob.values:
            began = time.perf_counter()
            answer = shown._answer(**(shown.start | {name: value}))
            solved = time.perf_counter()
            picture(*answer, shown.size)
            measured.append((list(shown.knobs), name, str(value), solved - began, time.perf_counter() - solved))
print(json.dumps(measured))
"""
# Explorers are shown, not named: they are caught as they are made.
CATCH = """
import ppl_control.plotting
explorers = []
def caught(*args, _explore=ppl_control.plotting.explore, **knobs):
    explorers.append(_explore(*args, **knobs))
    return explorers[-1]
ppl_control.plotting.explore = caught
"""


@pytest.mark.parametrize("path", WITH_KNOBS, ids=lambda path: path.stem)
def test_a_moved_knob(path: Path, benchmark, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PPL_CONTROL_SHORT", "1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(CATCH))
    notebook.cells.append(nbformat.v4.new_code_cell(MEASURE))
    benchmark.pedantic(NotebookClient(notebook, timeout=600, kernel_name="python3").execute, rounds=1)
    measured = json.loads(notebook.cells[-1].outputs[0].text)
    print()
    for knobs in dict.fromkeys(tuple(row[0]) for row in measured):
        mine = [row for row in measured if tuple(row[0]) == knobs]
        slowest = max(mine, key=lambda row: row[3])
        solve, draw = (sorted(row[i] for row in mine)[len(mine) // 2] for i in (3, 4))
        print(
            f"{path.stem[:2]} {', '.join(knobs)}: solved in {1e3 * solve:.0f} ms (at most {1e3 * slowest[3]:.0f}, "
            f"{slowest[1]} = {slowest[2]}), drawn in {1e3 * draw:.0f} ms"
        )
        assert solve < 0.1
    assert measured
