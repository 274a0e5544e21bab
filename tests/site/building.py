"""The site built as `make site` builds it, and a small project that its machinery builds too."""

import os
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from textwrap import dedent

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

__all__ = ["ROOT", "build", "make_project"]

ROOT = Path(__file__).parents[2]
PAGES = ["program", "environment", "guide", "method"]
FIRST = r"""# 1 · First

**The question.** Is $V_t(s) \le \max_a Q_t(s, a)$ so?

| symbol | meaning |
| --- | --- |
| $\pi(a \mid s)$ | policy |
"""
THEORY = r"""# Theory

$$
V(s) = \alpha \log \sum_a \pi_0(a \mid s) \thinspace e^{Q(s, a) / \alpha} \tag{1}
$$

Code: `sample.solve`

## More

$$
\underbrace{Q}_{\text{value}} = \mathbb{E}\Big[\tfrac12 r\Big] \tag{2}
$$

Code: `sample.inner.backup`, `sample.worlds.World.step`
"""
PACKAGE = {
    "__init__": '''
        """A sample."""

        from sample import worlds
        from sample.inner import solve

        __all__ = ["solve", "worlds"]
        ''',
    "worlds": '''
        """Worlds."""

        __all__ = ["World"]


        class World:
            """One world.

            Args:
                size: how many states.
            """

            def __init__(self, size: int):
                self.size = size

            def step(self, action: int) -> int:
                """The next state."""
                return action % self.size
        ''',
    "inner": '''
        """Inside."""

        __all__ = ["backup", "solve"]


        def solve(world: object, discount: float = 1.0) -> float:
            """V(s) = α log Σ_a π0(a|s) exp(Q*(s,a)/α), and V* ≥ V_{t+1}[s] where a < b.

            Two actions:

                w_{i,t} = γᵗ ρ_i [a|s] * 2

            Args:
                world: to be solved.
                discount: in (0, 1].
            """
            return backup(discount)


        def backup(value: float) -> float:
            """One backup."""
            return value
        ''',
}


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """The command of the Makefile."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", ".site/mkdocs.yml"]
    return subprocess.run(
        [*command, "--site-dir", str(site)],
        cwd=project,
        env=os.environ | {"OMP_NUM_THREADS": "1", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def make_project(folder: Path) -> Path:
    """A project of one notebook and a package of three modules, with the machinery of this one."""
    shutil.copytree(ROOT / ".site", folder / ".site", ignore=shutil.ignore_patterns("__pycache__"))
    settings = folder / ".site" / "mkdocs.yml"
    config = yaml.safe_load(settings.read_text(encoding="utf-8"))
    config["extra"] |= {"package": "sample", "public": ["worlds"]}
    settings.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")

    for name, code in PACKAGE.items():
        _write(folder / "sample" / f"{name}.py", dedent(code).lstrip())
    _write(folder / "data.csv", "a,b\n")
    _write(
        folder / "README.md",
        "# Sample\n\n[First](notebooks/01_first.ipynb) [data](data.csv) [code](sample)\n\n"
        "![A square](notebooks/pictures/square.png)\n",
    )
    _write(folder / "notebooks" / "theory.md", THEORY)
    for page in PAGES:
        _write(folder / "notebooks" / "bring_your_own" / f"{page}.md", f"# Your own {page}\n\n[Data](../../data.csv)\n")
        _write(folder / "notebooks" / "bring_your_own" / f"{page}.py", f'print("{page}")\n')
    (folder / "notebooks" / "pictures").mkdir()
    (folder / "notebooks" / "pictures" / "square.png").write_bytes(_png(folder, "black"))
    nbformat.write(_notebook(folder), folder / "notebooks" / "01_first.ipynb")
    return folder


def _notebook(folder: Path) -> nbformat.NotebookNode:
    red, blue = (b64encode(_png(folder, colour)).decode() for colour in ("red", "blue"))
    knob = {"name": "noise", "label": "noise", "shown": ["0.1", "0.2"], "start": 0, "frames": [red, blue]}
    still = {"name": "prior", "label": "prior", "shown": ["none"], "start": 0, "frames": [red]}
    outputs = [
        new_output("stream", name="stdout", text="printed\n"),
        new_output(
            "execute_result", {"text/html": "<table class='dataframe'><tr><td>1</td></tr></table>", "text/plain": "1"}
        ),
        new_output("display_data", {"image/png": blue, "text/plain": "Figure"}),
        new_output(
            "display_data",
            {"image/png": red, "application/vnd.ppl-control.frames+json": {"knobs": [knob, still]}, "text/plain": "-"},
        ),
    ]
    cells = [new_markdown_cell(FIRST), new_markdown_cell("## A part"), new_code_cell("1 + 1", outputs=outputs)]
    return new_notebook(cells=cells)


def _png(folder: Path, colour: str) -> bytes:
    path = folder / "colour.png"
    Image.new("RGB", (30, 20), colour).save(path)
    return path.read_bytes()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
