"""Every notebook runs in silence, ends in asserts on its claim, and is committed with the outputs of a whole run.

Notebooks that learn take fewer steps and seeds here (``PPL_CONTROL_SHORT``); what they assert then holds in both.
"""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SECONDS = 300  # for one cell, on a busy machine
PLACES = ("/home/", "/root/", "/tmp/", "/Users/", "site-packages", "ipykernel_")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell: NotebookNode) -> set[tuple[str, ...]]:
    """What sorts of output a cell has: streams by name, the rest by media types."""
    return {(output.output_type, *sorted(output.get("data", [output.get("name", "")]))) for output in cell.outputs}


def test_they_are_numbered_in_reading_order():
    assert NOTEBOOKS
    assert [int(path.name[:2]) for path in NOTEBOOKS] == list(range(1, len(NOTEBOOKS) + 1))


@each_notebook
def test_runs_in_silence(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PPL_CONTROL_SHORT", "1")
    notebook = read(path)
    committed = [kinds(cell) for cell in code_cells(notebook)]
    NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    loud = [
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert not loud
    assert [kinds(cell) for cell in code_cells(notebook)] == committed
    assert not list(tmp_path.iterdir())  # leaves nothing behind


@each_notebook
def test_ends_in_asserts(path: Path):
    last = ast.parse(code_cells(read(path))[-1].source)
    assert any(isinstance(node, ast.Assert) for node in ast.walk(last))


@each_notebook
def test_outputs_are_those_of_one_run_from_top_to_bottom(path: Path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert any("image/png" in output.get("data", {}) for output in outputs)
    text = "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)
    assert not [place for place in PLACES if place in text]
