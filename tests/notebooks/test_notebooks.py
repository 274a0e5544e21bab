"""Every notebook runs in silence, ends in asserts on its claim, and is committed with the outputs of a whole run.

Notebooks that learn take fewer steps and seeds here (``PPL_CONTROL_SHORT``); what they assert then holds in both.
"""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from ppl_control.plotting import BELIEVED, EXACT, EXECUTED

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SECONDS = 300  # for one cell, on a busy machine
PLACES = ("/home/", "/root/", "/tmp/", "/Users/", "site-packages", "ipykernel_")

# Three pictures a knob are drawn to be kept, not nine: what is saved stays what it is.
FEW = "import ppl_control.plotting.frames; ppl_control.plotting.frames.FRAMES = 3"
SECTIONS = [
    "The model",
    "The experiment",
    "The picture",
    "What to try",
    "What to take away",
    "The claim, asserted",
]
COLOURS = (
    f'In every picture of this course <b style="color:{BELIEVED}">blue</b> is what a guide believes, '
    f'<b style="color:{EXECUTED}">orange</b> what its policy gets, '
    f'and <b style="color:{EXACT}">black</b> what is exact.'
)

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
    notebook.cells[0:0] = [new_code_cell(FEW)]
    NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    ran = code_cells(notebook)[1:]
    loud = [
        output.text
        for cell in ran
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert not loud
    assert [kinds(cell) for cell in ran] == committed
    assert not list(tmp_path.iterdir())  # leaves nothing behind


@each_notebook
def test_has_the_form_of_the_course(path: Path):
    cells = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    first, lines = cells[0].splitlines(), "\n".join(cells).splitlines()
    assert first[0].startswith(f"# {int(path.name[:2])} · ")
    assert any(line.startswith("**The question.** ") and "?" in line for line in first)
    assert any(line.startswith("**The claim.** ") for line in first)
    assert "**What you will see**" in first
    assert first[-1] == COLOURS
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == SECTIONS


@each_notebook
def test_leads_on(path: Path):
    last = read(path).cells[-1]
    number = int(path.name[:2])
    after = NOTEBOOKS[number % len(NOTEBOOKS)]
    assert last.cell_type == "markdown"
    assert f"]({after.name})" in last.source
    assert read(after).cells[0].source.splitlines()[0].removeprefix("# ") in last.source


@each_notebook
def test_equations_it_refers_to_are_there(path: Path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    numbered = re.findall(r"\\tag\{(\d+)\}", (path.parent / "theory.md").read_text(encoding="utf-8"))
    for named in re.findall(r"\[theory, ([^\]]+)\]\(theory\.md\)", text):
        numbers = re.findall(r"\((\d+)\)", named)
        assert numbers
        assert set(numbers) <= set(numbered), named
    assert text.count("](theory.md") == len(re.findall(r"\[theory, [^\]]+\]\(theory\.md\)", text))


@each_notebook
def test_colours_are_named_by_what_they_mean(path: Path):
    code = "\n".join(cell.source for cell in code_cells(read(path)))
    assert not re.findall(r"[\"']#[0-9a-fA-F]{3,6}[\"']", code)


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
