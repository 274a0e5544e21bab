"""The course page: the notebooks in order, each with the question it asks."""

import re
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from notebook_page import NotebookPage

QUESTION = re.compile(r"^\*\*The question\.\*\*\s+(.+?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
INTRODUCTION = """# The course

Read in order. Each notebook asks one question, makes one claim, shows it, and lets you turn the knob that could break
it. Colours mean the same in all of them:

<ul class="legend">
<li class="believed"><b>believed</b>: what the guide expects</li>
<li class="executed"><b>executed</b>: what its policy gets in the world as it is</li>
<li class="exact"><b>exact</b>: ground truth</li>
</ul>
"""


def on_files(files: Files, config: Any) -> None:
    """Add the page."""
    entries = [_entry(page) for page in config.extra["notebooks"]]
    files.append(File.generated(config, "course.md", content="\n".join([INTRODUCTION, *entries])))


def _entry(page: NotebookPage) -> str:
    question = QUESTION.search(page.first_cell)
    if question is None:
        raise PluginError(f"{page.name}.ipynb: the first cell has no paragraph that begins '**The question.**'")
    return f"## [{page.title}]({page.name}.md)\n\n{question.group(1).strip()}\n"
