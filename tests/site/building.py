"""The site built as `make site` builds it, and a small project that its machinery builds too."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import nbformat
import yaml

from tests.site.sample_notebooks import first, png, second
from tests.site.sample_package import MODELS, PACKAGE

__all__ = ["ROOT", "build", "make_project"]

ROOT = Path(__file__).parents[2]
PAGES = ["program", "environment", "guide", "method"]
README = """# Sample

[First](notebooks/01_first.ipynb) [data](data.csv) [code](sample) [course](notebooks) [problems](models)

![A square](notebooks/pictures/square.png)
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
    """A project of two notebooks and a small package, with the machinery of this one."""
    shutil.copytree(ROOT / ".site", folder / ".site", ignore=shutil.ignore_patterns("__pycache__"))
    settings = folder / ".site" / "mkdocs.yml"
    config = yaml.safe_load(settings.read_text(encoding="utf-8"))
    config["extra"] |= {"package": "sample", "public": ["worlds", "agents", "models"]}  # not in the alphabet's order
    settings.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")

    for name, code in PACKAGE.items():
        _write(folder / "sample" / f"{name}.py", dedent(code).lstrip())
    for name, code in MODELS.items():
        _write(folder / "models" / f"{name}.py", dedent(code).lstrip())
    (folder / "sample" / "models").symlink_to("../models")
    _write(folder / "data.csv", "a,b\n")
    _write(folder / "README.md", README)

    notebooks = folder / "notebooks"
    _write(notebooks / "theory.md", THEORY)
    for page in PAGES:
        _write(notebooks / "bring_your_own" / f"{page}.md", f"# Your own {page}\n\n[Data](../../data.csv)\n")
        _write(notebooks / "bring_your_own" / f"{page}.py", f'print("{page}")\n')
    (notebooks / "pictures").mkdir()
    (notebooks / "pictures" / "square.png").write_bytes(png("black"))
    nbformat.write(first(), notebooks / "01_first.ipynb")
    nbformat.write(second(), notebooks / "02_second.ipynb")
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
