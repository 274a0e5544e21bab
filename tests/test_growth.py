"""How growth is measured, and that what is saved of it is what the picture and the code say."""

from itertools import chain

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks.growth.__main__ import PICTURE, RESULTS
from tests.benchmarks.growth.exponents import OVERHEAD, fitted, upper_part
from tests.benchmarks.growth.picture import plot_growth, save
from tests.benchmarks.growth.records import read, recorded, table, write
from tests.benchmarks.growth.series import PANELS
from tests.benchmarks.growth.timing import FEWEST, MOST, Case, Timing, timed

SIZES = (1, 10, 100, 1000, 10_000)


def test_a_power_law_is_found():
    power = fitted(SIZES, [3e-6 * n**1.5 for n in SIZES])
    assert power.exponent == pytest.approx(1.5, abs=1e-12)
    assert power.factor == pytest.approx(3e-6)
    assert power.stderr == pytest.approx(0.0, abs=1e-7)
    assert power.used.tolist() == [False, True, True, True, True]
    assert power(np.array([4.0])) == pytest.approx(3e-6 * 8)


def test_standard_error_by_hand():
    # At log sizes −1.5, −0.5, 0.5, 1.5 about their mean: Sxx = 5; residuals ±e of which the line takes nothing.
    e = 0.1
    sizes = [1, *np.exp([4.0, 5.0, 6.0, 7.0])]
    seconds = [1e-3, *np.exp(np.array([4.0, 5.0, 6.0, 7.0]) + e * np.array([1, -1, -1, 1]))]
    power = fitted(sizes, seconds)
    assert power.used.tolist() == [False, True, True, True, True]
    assert power.exponent == pytest.approx(1.0)
    assert power.stderr == pytest.approx(np.sqrt(4 * e**2 / 2 / 5))


def test_what_does_not_grow_is_kept_out():
    sizes = np.geomspace(1, 10_000, 17)
    seconds = 0.05 + 1e-3 * sizes
    used = upper_part(seconds)
    assert ((0.05 / seconds)[used] <= OVERHEAD).all()
    assert used.any()
    assert 1 - OVERHEAD < fitted(sizes, seconds).exponent < 1  # all that is left of it makes the slope flatter
    unhindered = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    assert unhindered < 1 - OVERHEAD


def test_upper_part_has_no_holes():
    assert upper_part([1.0, 20.0, 5.0, 11.0, 12.0]).tolist() == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("sizes", "seconds", "said"),
    [
        (SIZES, [1.0, 1.0, 1.0, 11.0, 12.0], "got 2.*longest takes 12.0 times"),
        (SIZES, [1.0] * 5, "got 0"),
        ((1, 10, 10, 100, 1000), [1.0, 10.0, 20.0, 30.0, 40.0], "sizes: .*increasing"),
        (SIZES, [1.0, 2.0], "sizes: expected one for each time"),
        (SIZES, [0.0, 1.0, 2.0, 3.0, 4.0], "seconds: expected positive"),
    ],
)
def test_no_exponent_without_its_points(sizes, seconds, said):
    with pytest.raises(ValueError, match=said):
        fitted(sizes, seconds)


def test_cases_run_in_turns_and_give_medians():
    now, log = [0.0], []

    def work(name: str, durations):
        left = chain(durations)

        def run() -> None:
            log.append(name)
            now[0] += next(left)

        return run

    quick = [9e-3] + [1e-3] * (MOST - 1) + [9e-3]  # warming up is left out; one slow round does not count
    slow = [4.0, 7.0, 2.0, 3.0]
    cases = [Case(1, work("quick", quick)), Case(5, work("slow", slow))]
    found = timed(cases, clock=lambda: now[0])
    assert [(x.size, x.rounds) for x in found] == [(1, MOST), (5, FEWEST)]
    assert [x.seconds for x in found] == pytest.approx([1e-3, 3.0])
    assert log[:8] == ["quick", "slow"] * 4
    assert log[8:] == ["quick"] * (MOST - FEWEST)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.symbol)
def test_all_work_is_done_at_its_smallest_sizes(panel):
    for series in panel.series:
        cases = [series.case(size) for size in panel.sizes[:2]]
        assert cases[0].size < cases[1].size
        for case in cases:
            case.run()


def test_records_survive_a_file(tmp_path):
    panel = PANELS[0]
    record = recorded(panel, panel.series[0], [Timing(n, n / 7, 3) for n in SIZES])
    write(tmp_path / "growth.jsonl", [record])
    (again,) = read(tmp_path / "growth.jsonl")
    assert table([again]) == table([record])
    assert "1.000 ± 0.000" in table([again])
    assert again.settings["seed"] == 0
    assert {"python", "torch", "numpy", "scipy"} <= set(again.versions)


def test_saved_numbers_are_of_this_code_and_in_the_picture(tmp_path):
    records = read(RESULTS)
    works = [(panel.symbol, panel.title, series.name) for panel in PANELS for series in panel.series]
    assert [(record.symbol, record.title, record.name) for record in records] == works
    asked = {panel.symbol: (len(panel.sizes), panel.settings.items()) for panel in PANELS}
    for record in records:
        sizes, settings = asked[record.symbol]
        assert len(record.sizes) == sizes
        assert settings <= record.settings.items()
    figure = plot_growth(records)
    legends = [text.get_text() for axes in figure.axes for text in getattr(axes.get_legend(), "texts", ())]
    for record in records:
        power = record.power
        said = f"{power.exponent:.2f}}}$ (±{power.stderr:.1g})"
        assert any(text.startswith(f"{record.name}: ") and text.endswith(said) for text in legends)
    save(figure, tmp_path / "growth.png", table(records))
    for path in (tmp_path / "growth.png", PICTURE):
        with Image.open(path) as image:
            assert image.info["Description"] == table(records)
    assert PICTURE.stat().st_size < 150_000
