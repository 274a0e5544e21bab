"""What is wrong in a project fails the build of its site, and the message says what and where.

The builds run in this process, by the two calls that the command makes; a process each would mostly import.
"""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MkDocs' own plugins


@pytest.fixture(autouse=True)
def _forgotten(project: Path) -> Iterator[None]:
    """Each project has its own machinery: what one build imported the next one must not find."""
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(project)):
            del sys.modules[name]


def run(project: Path) -> Path:
    site = project / "site"
    build(load_config(config_file=str(project / ".site" / "mkdocs.yml"), site_dir=str(site), strict=True))
    return site


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_sound_project_builds(project: Path):
    assert (run(project) / "index.html").is_file()


BROKEN = {
    "public name without docstring": (
        "sample/inner.py",
        '"""V(s) = ',
        'f"""V(s) = ',
        "sample/inner.py:6: sample.inner.solve: no docstring",
    ),
    "public method without docstring": (
        "sample/worlds.py",
        '"""The next state."""',
        "",
        "sample.worlds.World.step: no docstring",
    ),
    "name in __all__ that is not there": (
        "sample/worlds.py",
        '["World"]',
        '["World", "Globe"]',
        "sample.worlds.Globe: in __all__, and not defined",
    ),
    "argument that is not described": (
        "sample/inner.py",
        "        discount: in (0, 1].\n",
        "",
        "sample.inner.solve: not in Args: discount",
    ),
    "argument of a class that is not described": (
        "sample/worlds.py",
        "size: int)",
        "size: int, wind: float)",
        "sample.worlds.World: not in Args: wind",
    ),
    "described argument that is not there": (
        "sample/inner.py",
        "discount: in",
        "rebate: in",
        "sample.inner.solve: in Args, and no argument: rebate",
    ),
    "link of Markdown": ("README.md", "data.csv", "nowhere.csv", "nowhere.csv"),
    "anchor of Markdown": ("README.md", "01_first.ipynb", "01_first.ipynb#nowhere", "#nowhere"),
    "link in HTML": (
        "README.md",
        "# Sample\n",
        '# Sample\n\n<p><a href="nowhere.html">x</a></p>\n',
        "index.html: nowhere.html: no such file",
    ),
    "anchor in HTML": (
        "README.md",
        "# Sample\n",
        '# Sample\n\n<p><a href="theory.html#equation-9">x</a></p>\n',
        "index.html: theory.html#equation-9: no such anchor",
    ),
    "picture in HTML": (
        "README.md",
        "# Sample\n",
        '# Sample\n\n<p><img src="pictures/circle.png" alt=""></p>\n',
        "index.html: pictures/circle.png: no such file",
    ),
    "unknown command in a formula": ("notebooks/theory.md", r"\underbrace", r"\underbrce", r"\underbrce"),
    "formula with two backslashes": (
        "notebooks/theory.md",
        "## More",
        r"## More $\\log Z$",
        r"line break outside an environment in \\log Z",
    ),
    "formula with an open brace": ("notebooks/theory.md", "## More", r"## More $\frac{a}{$", "theory.md: no MathML"),
    "equation without code": (
        "notebooks/theory.md",
        "Code: `sample.solve`",
        "Nothing.",
        "equation (1) is not followed",
    ),
    "equation with code that is not there": (
        "notebooks/theory.md",
        "sample.inner.backup",
        "sample.inner.backdown",
        "equation (2): there is no sample.inner.backdown",
    ),
    "equations out of order": ("notebooks/theory.md", r"\tag{2}", r"\tag{3}", "equation (3) where (2) was expected"),
    "page of the navigation that is not there": (".site/mkdocs.yml", "guide.md", "giude.md", "giude.md"),
}


@pytest.mark.parametrize(("path", "old", "new", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_fault_fails_the_build(project: Path, caplog: pytest.LogCaptureFixture, path, old, new, message):
    edit(project / path, old, new)
    with pytest.raises(Abort):
        run(project)
    assert message in said(caplog)


def said(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


def test_a_notebook_without_a_question_fails_the_build(project: Path, caplog: pytest.LogCaptureFixture):
    path = project / "notebooks" / "01_first.ipynb"
    edit(path, "**The question.**", "**The claim.**")
    with pytest.raises(Abort):
        run(project)
    assert "01_first.ipynb: the first cell has no paragraph that begins '**The question.**'" in said(caplog)


def test_a_knob_with_a_picture_missing_fails_the_build(project: Path, caplog: pytest.LogCaptureFixture):
    path = project / "notebooks" / "01_first.ipynb"
    notebook = nbformat.read(path, as_version=4)
    frames = notebook.cells[-1].outputs[-1].data["application/vnd.ppl-control.frames+json"]
    frames["knobs"][0]["frames"].pop()
    nbformat.write(notebook, path)
    with pytest.raises(Abort):
        run(project)
    assert "knob 'noise': 2 values, 1 pictures" in said(caplog)


def test_a_page_without_its_template_fails_the_build(project: Path, caplog: pytest.LogCaptureFixture):
    (project / "notebooks" / "bring_your_own" / "guide.py").unlink()
    with pytest.raises(Abort):
        run(project)
    assert "bring_your_own/guide.md: its template guide.py is missing" in said(caplog)
