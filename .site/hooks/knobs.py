"""Knobs without a kernel: one slider each, over pictures that were saved with the notebook."""

import html
import json
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["FRAMES", "figure"]

FRAMES = "application/vnd.ppl-control.frames+json"
HINT = "Here one knob moves at a time. Run in Jupyter, the notebook moves all of them at once."


def figure(anchor: str, alt: str, frames: Mapping[str, Any], keep: Callable[[str], str]) -> str:
    """HTML of a picture and its sliders; the first picture shows without any script.

    Args:
        anchor: id of the figure on its page.
        alt: what the picture is, for who cannot see it.
        frames: content of the media type: ``knobs``, each with name, label, shown, start and frames (base64).
        keep: stores one picture and returns its address, relative to the page.

    Raises:
        ValueError: a knob without pictures, or with more values than pictures.
    """
    rows, pictures, first = [], [], ""
    for number, knob in enumerate(frames["knobs"]):
        shown, start = [str(value) for value in knob["shown"]], knob["start"]
        if not shown or len(shown) != len(knob["frames"]) or not 0 <= start < len(shown):
            raise ValueError(
                f"knob {knob['name']!r}: {len(shown)} values, {len(knob['frames'])} pictures, start {start}"
            )
        pictures.append([keep(frame) for frame in knob["frames"]])
        first = first or pictures[0][start]
        rows.append(_row(f"{anchor}-knob-{number}", knob["label"], shown, start))
    if not rows:
        raise ValueError("no knob in the frames")
    return (
        f'<figure class="picture knobs" id="{anchor}" data-pictures="{_quoted(pictures)}">'
        f'<img src="{first}" alt="{html.escape(alt)}">'
        f"<figcaption>{''.join(rows)}<p>{HINT}</p></figcaption></figure>"
    )


def _row(name: str, label: str, shown: list[str], start: int) -> str:
    return (
        f'<div class="knob"><label for="{name}">{html.escape(label)}</label>'
        f'<input type="range" id="{name}" min="0" max="{len(shown) - 1}" step="1" value="{start}" '
        f'data-shown="{_quoted(shown)}" aria-valuetext="{html.escape(shown[start])}" autocomplete="off">'
        f'<output for="{name}">{html.escape(shown[start])}</output></div>'
    )


def _quoted(value: Any) -> str:
    return html.escape(json.dumps(value, ensure_ascii=False))
