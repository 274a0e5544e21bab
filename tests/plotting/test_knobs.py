"""Pictures with knobs: live they follow, saved they show one knob moved at a time."""

import base64
import io

import pytest
from PIL import Image

from ppl_control.plotting import Knob, explore
from ppl_control.plotting.frames import FRAMES, MEDIA_TYPE


def area(width, height):
    if width * height == 0:
        raise ValueError("width, height: nothing to see")
    return width, height


def rectangle(figure, sides):
    axes = figure.subplots()
    axes.bar([0], [sides[1]], width=sides[0], color="black")
    axes.set(xlim=(-5, 5), ylim=(0, 50))


def explorer():
    return explore(
        area,
        rectangle,
        size=(2, 2),
        width=Knob([0, 1, 2.5], start=1, label="how wide"),
        height=Knob(range(1, 42), start=14),
    )


def black(png: bytes) -> int:
    """How many pixels are nearly black."""
    return sum(Image.open(io.BytesIO(png)).convert("L").histogram()[:60])


def test_the_picture_follows_the_values():
    shown = explorer()
    assert shown.picture() == shown.picture(width=1, height=14)
    # Axes and letters are black as well, the same in all three.
    small, wide, tall = (
        black(shown.picture(**sides)) for sides in ({"height": 10}, {"width": 2.5, "height": 10}, {"height": 25})
    )
    assert wide - small == pytest.approx(tall - small, rel=0.05)


def test_a_moved_dial_changes_the_picture_and_says_how_long_it_took():
    shown = explorer()
    wide, high, image, words = shown.widget().children
    assert image.value == shown.picture()
    high.value = 20
    assert image.value == shown.picture(height=20)
    wide.index = 2
    assert image.value == shown.picture(width=2.5, height=20)
    assert "solved in" in words.value
    assert (wide.description, high.description) == ("how wide", "height")


def test_where_there_is_no_answer_the_reason_stands_in_the_place_of_the_picture():
    shown = explorer()
    wide, _, image, _ = shown.widget().children
    wide.value = 0
    assert image.value == shown.picture(width=0)
    assert image.value != shown.picture()


def test_words_are_buttons():
    shown = explore(lambda prior: prior, lambda figure, _: None, prior=Knob(["counting", "uniform"], start="uniform"))
    dial = shown.widget().children[0]
    assert type(dial).__name__ == "ToggleButtons"
    assert dial.value == "uniform"


def test_saved_are_pictures_with_one_knob_moved():
    shown = explorer()
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {
        "application/vnd.jupyter.widget-view+json",
        "text/plain",
        "image/png",
        MEDIA_TYPE,
    }
    wide, high = bundle[MEDIA_TYPE]["knobs"]
    assert (wide["name"], wide["label"], wide["shown"], wide["start"]) == ("width", "how wide", ["0", "1", "2.5"], 1)
    assert len(high["frames"]) == len(high["shown"]) == FRAMES
    assert (high["shown"][0], high["shown"][high["start"]], high["shown"][-1]) == ("1", "14", "41")
    assert high["shown"] == sorted(high["shown"], key=int)
    assert wide["frames"][1] == high["frames"][high["start"]] == bundle["image/png"]
    assert black(base64.b64decode(high["frames"][-1])) == pytest.approx(black(shown.picture(height=41)), rel=0.02)


@pytest.mark.parametrize(
    ("values", "start", "message"),
    [
        ([1], 1, "values: expected at least two"),
        ("ab", "a", "values: expected at least two"),
        ([1.0, 1.0001], 1.0, "no two that look alike"),
        ([1, 2], 3, "start: expected one of 1, 2, got 3"),
    ],
)
def test_bad_knobs(values, start, message):
    with pytest.raises(ValueError, match=message):
        Knob(values, start)


def test_bad_explorers():
    with pytest.raises(ValueError, match="knobs: expected at least one"):
        explore(area, rectangle)
    with pytest.raises(ValueError, match="width: expected a Knob, got 3"):
        explore(area, rectangle, width=3)
    with pytest.raises(ValueError, match="nothing to see"):  # no answer at the start is a mistake
        explore(area, rectangle, width=Knob([0, 1], start=0), height=Knob([1, 2], start=1))
