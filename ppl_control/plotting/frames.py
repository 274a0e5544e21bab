"""Pictures with knobs as they are kept where no kernel runs: PNG files, one knob moved at a time."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ppl_control.plotting.explorer import Explorer

__all__ = ["FRAMES", "MEDIA_TYPE", "frames", "picture"]

MEDIA_TYPE = "application/vnd.ppl-control.frames+json"
FRAMES = 9  # a knob; 5 to 25 kB each
COLOURS = 64  # of a frame, enough for lines and words
DPI = 100


def picture(draw: Callable[[Figure, Any], object], result: Any, size: tuple[float, float]) -> bytes:
    """What draw(figure, result) draws into an empty figure of ``size`` inches, as a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    draw(figure, result)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def frames(explorer: Explorer) -> dict[str, Any]:
    """Media type → content: the picture at the start, and for each knob a row of pictures with only it moved."""
    begin = _kept(explorer.picture())  # every knob's row has it
    rows = []
    for name, knob in explorer.knobs.items():
        kept = _spread(len(knob.values), knob.index)
        others = {i: _kept(explorer.picture(**{name: knob.values[i]})) for i in kept if i != knob.index}
        rows.append({
            "name": name,
            "label": knob.label or name,
            "shown": [knob.shown[i] for i in kept],
            "start": kept.index(knob.index),
            "frames": [others.get(i, begin) for i in kept],
        })  # fmt: skip
    return {"image/png": begin, MEDIA_TYPE: {"knobs": rows}}


def _spread(count: int, start: int) -> list[int]:
    """At most FRAMES of the places 0 … count − 1, evenly, both ends and the start among them."""
    if count <= FRAMES:
        return list(range(count))
    even = [round(i * (count - 1) / (FRAMES - 1)) for i in range(FRAMES)]
    nearest = min(range(1, FRAMES - 1), key=lambda i: abs(even[i] - start))
    if start not in even:
        even[nearest] = start
    return even


def _kept(png: bytes) -> str:
    """The picture with fewer colours, as text."""
    from PIL import Image

    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
