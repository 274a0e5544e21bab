"""Pictures with knobs: a slider moves, the model is solved anew, the picture follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

from ppl_control.plotting.figures import INK
from ppl_control.plotting.frames import frames, picture
from ppl_control.plotting.knobs import Knob, words
from ppl_control.settings import shown

if TYPE_CHECKING:
    import ipywidgets
    from matplotlib.figure import Figure

__all__ = ["Explorer", "explore"]


class Explorer:
    """A picture and the knobs that change it; see ``explore``, which makes and checks it.

    Args:
        solve: called as solve(name=value, …).
        draw: called as draw(figure, result).
        knobs: argument of ``solve`` → its knob.
        size: of the figure, inches.
    """

    def __init__(
        self,
        solve: Callable[..., Any],
        draw: Callable[[Figure, Any], object],
        knobs: Mapping[str, Knob],
        size: tuple[float, float],
    ):
        self.solve = solve
        self.draw = draw
        self.knobs = dict(knobs)
        self.size = size

    @property
    def start(self) -> dict[str, Any]:
        """The values at which the knobs stand at first."""
        return {name: knob.values[knob.index] for name, knob in self.knobs.items()}

    def picture(self, **values: Any) -> bytes:
        """The picture as a PNG file.

        Args:
            values: of the knobs; those left out stand where they stood at first.
        """
        return picture(*self._answer(**(self.start | values)), self.size)

    def _answer(self, **values: Any) -> tuple[Callable[[Figure, Any], object], Any]:
        """How to draw what, at these values; where there is no answer, the library's reason."""
        try:
            return self.draw, self.solve(**values)
        except ValueError as error:
            return _say, str(error)

    def widget(self) -> ipywidgets.Widget:
        """The knobs above the picture; when one is moved the model is solved anew, and a line says how fast."""
        import ipywidgets

        dials: dict[str, Any] = {name: _dial(name, knob) for name, knob in self.knobs.items()}
        image: Any = ipywidgets.Image(value=self.picture(), format="png")
        image.layout.max_width = "100%"
        said: Any = ipywidgets.HTML(" ")

        def follow(_: Any) -> None:
            began = time.perf_counter()
            draw, result = self._answer(**{name: dial.value for name, dial in dials.items()})
            solved = time.perf_counter()
            image.value = picture(draw, result, self.size)
            drawn = time.perf_counter()
            said.value = f"solved in {1000 * (solved - began):.0f} ms, drawn in {1000 * (drawn - solved):.0f} ms"

        for dial in dials.values():
            dial.observe(follow, names="value")
        return ipywidgets.VBox([*dials.values(), image, said])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Live knobs where a kernel runs; the first picture, and one row of pictures a knob, where none does."""
        bundle: dict[str, Any] = dict(self.widget()._repr_mimebundle_() or {})
        return bundle | {"text/plain": repr(self)} | frames(self)

    def __repr__(self) -> str:
        return f"Explorer({', '.join(f'{name}={words(value)}' for name, value in self.start.items())})"


def explore(
    solve: Callable[..., Any],
    draw: Callable[[Figure, Any], object],
    *,
    size: tuple[float, float] = (8.6, 3.0),
    **knobs: Knob,
) -> Explorer:
    """A picture with knobs, for notebooks.

    In a saved notebook stands the picture at the start, for readers without a kernel, and for each knob a row of at
    most nine pictures with only that knob moved (media type ``application/vnd.ppl-control.frames+json``).

    Args:
        solve: called as solve(name=value, …) whenever a knob is moved; returns whatever is to be drawn. A ValueError
            in it is shown in the place of the picture.
        draw: called as draw(figure, result) with an empty matplotlib figure.
        size: of the figure, inches.
        knobs: by the names of ``solve``'s arguments.

    Raises:
        ValueError: no knobs, or one that is no ``Knob``; and whatever ``solve`` raises where the knobs stand at first.
        ImportError: ipywidgets is not installed.

    Example:
        >>> from ppl_control import MessagePassing, infer
        >>> from ppl_control.models import lottery
        >>> def log_z(prize):
        ...     return infer(lottery.model(prize=prize), MessagePassing()).log_evidence_bound
        >>> def bar(figure, nats):
        ...     figure.subplots().barh(["log Z"], [nats])
        >>> explore(log_z, bar, prize=Knob([1.0, 10.0, 100.0], start=10.0))
        Explorer(prize=10)
    """
    try:
        import ipywidgets  # noqa: F401
    except ImportError as error:
        raise ImportError("knobs need ipywidgets: pip install 'ppl-control[notebooks]'") from error
    if not knobs:
        raise ValueError("knobs: expected at least one")
    for name, knob in knobs.items():
        if not isinstance(knob, Knob):
            raise ValueError(f"{name}: expected a Knob, got {shown(knob)}")
    explorer = Explorer(solve, draw, knobs, size)
    solve(**explorer.start)  # what does not work at the start is a mistake, not an answer
    return explorer


def _say(figure: Figure, reason: str) -> None:
    figure.text(0.5, 0.5, fill(reason, 90), ha="center", va="center", color=INK)


def _dial(name: str, knob: Knob) -> ipywidgets.Widget:
    import ipywidgets

    options = list(zip(knob.shown, knob.values, strict=True))
    kind = ipywidgets.ToggleButtons if all(isinstance(v, str) for v in knob.values) else ipywidgets.SelectionSlider
    dial: Any = kind(options=options, index=knob.index, description=knob.label or name)
    dial.style.description_width = "16em"
    dial.style.button_width = "auto"
    dial.layout.width = "44em"
    return dial
