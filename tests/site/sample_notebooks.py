"""Two small notebooks with saved outputs of every kind, and the pictures in them."""

from base64 import b64encode
from io import BytesIO

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

__all__ = ["first", "png", "second"]

FIRST = r"""# 1 · First

**The question.** Is $V_t(s) \le \max_a Q_t(s, a)$ so?

| symbol | meaning |
| --- | --- |
| $\pi(a \mid s)$ | policy |
"""
SECOND = r"""# 2 · Second

**The question.** And then?

## The value $V_t$ again
"""
TABLE = """<style scoped>
    .dataframe tbody tr th { vertical-align: top; }
</style>
<table border="1" class="dataframe">
  <tr><td>1</td></tr>
</table>"""


def first() -> nbformat.NotebookNode:
    """Printed text, a table, a picture, and knobs of which one does not start at its first value."""
    red, blue = (b64encode(png(colour)).decode() for colour in ("red", "blue"))
    knob = {"name": "noise", "label": "noise", "shown": ["0.1", "0.2"], "start": 1, "frames": [red, blue]}
    still = {"name": "prior", "label": "prior", "shown": ["none"], "start": 0, "frames": [blue]}
    outputs = [
        new_output("stream", name="stdout", text="printed\n"),
        new_output("execute_result", {"text/html": TABLE, "text/plain": "1"}),
        new_output("display_data", {"image/png": red, "text/plain": "Figure"}),
        new_output(
            "display_data",
            {"image/png": blue, "application/vnd.ppl-control.frames+json": {"knobs": [knob, still]}, "text/plain": "-"},
        ),
    ]
    return new_notebook(
        cells=[new_markdown_cell(FIRST), new_markdown_cell("## A part"), new_code_cell("1 + 1", outputs=outputs)]
    )


def second() -> nbformat.NotebookNode:
    """A picture under a heading with a formula, the last one of its cell."""
    picture = new_output("display_data", {"image/png": b64encode(png("green")).decode(), "text/plain": "Figure"})
    return new_notebook(cells=[new_markdown_cell(SECOND), new_code_cell("2 + 2", outputs=[picture])])


def png(colour: str) -> bytes:
    """A small picture of one colour."""
    content = BytesIO()
    Image.new("RGB", (30, 20), colour).save(content, "png")
    return content.getvalue()
