"""The picture of beliefs makes its point in words and colours."""

import io

import matplotlib.pyplot as plt
import pytest
from matplotlib.collections import PolyCollection

from ppl_control import SVI, MessagePassing, evaluate, infer
from ppl_control.models import frozen_lake, hiking, lottery
from ppl_control.plotting import plot_beliefs
from ppl_control.plotting.figures import BELIEVED, EXECUTED
from tests.plotting.test_sites import WINDY

LAKE = frozen_lake.model()
SOLUTIONS = {"posterior": infer(LAKE, MessagePassing()), "fixed": infer(LAKE, SVI(), progress=False)}


@pytest.fixture(scope="module")
def panels():
    axes = plot_beliefs(SOLUTIONS).axes
    return [panel for panel in axes if panel.get_title(loc="left")]


def words(panel) -> list[str]:
    return [text.get_text() for text in panel.texts]


def test_returns_are_written_above_the_maps(panels) -> None:
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles == ["believes: return 1.00", "believes: return 0.56", "gets: 0.01", "gets: 0.56"]
    assert "posterior" in words(panels[0])
    assert "fixed" in words(panels[1])


def test_beliefs_and_executions_have_their_colours_and_a_shortfall_is_bold(panels) -> None:
    titles = [panel._left_title for panel in panels]
    assert [title.get_color() for title in titles] == [BELIEVED, BELIEVED, EXECUTED, EXECUTED]
    assert [title.get_fontweight() for title in titles] == ["normal", "normal", "bold", "normal"]


def test_goal_is_sure_in_belief_and_hardly_reached_in_fact(panels) -> None:
    believed, executed = panels[0].images[0].get_array(), panels[2].images[0].get_array()
    assert believed[3, 3] == pytest.approx(1.0)
    assert executed[3, 3] == pytest.approx(0.0141, abs=5e-5)
    percents = [[word for word in words(panel) if word.endswith("%")] for panel in panels]
    assert percents[0] == ["0 %"] * 4 + ["100 %"]  # holes in reading order, then the goal
    assert percents[2] == ["71 %", "12 %", "2.4 %", "13 %", "1.4 %"]
    assert panels[0].images[0].get_clim() == panels[2].images[0].get_clim() == (0, 1)


def arrows(panel) -> list:
    """The outlines of a map's arrows."""
    (drawn,) = (part for part in panel.collections if isinstance(part, PolyCollection))
    return drawn.get_paths()


def test_letters_of_the_map(panels) -> None:
    letters = [word for word in words(panels[0]) if len(word) == 1]
    assert sorted(letters) == ["G", "H", "H", "H", "H", "S"]


def test_arrows_point_where_the_policy_goes() -> None:
    model = hiking.model(noise=0.0, temperature=0.01)
    figure = plot_beliefs({"best": infer(model, MessagePassing())})
    tips = {tuple(path.vertices[3].round(1).tolist()) for path in arrows(figure.axes[0])}
    assert tips == {(0.4, 3.0), (1.4, 3.0), (2.4, 3.0), (3.4, 3.0), (4.0, 2.6)}  # along the edge, then up


def test_arrows_are_as_large_as_the_choices_on_that_walk_are_frequent() -> None:
    model = frozen_lake.model(horizon=12)
    solution = infer(model, MessagePassing())
    result = evaluate(solution, model)
    figure = plot_beliefs({"posterior": solution})
    policy = solution.guide.tables().policy.exp()[:, 4]
    for panel, states in zip(figure.axes[:2], (result.believed_states, result.executed_states), strict=True):
        here = states[:-1, 4]
        expected = 0.45 * ((here[:, None] * policy).sum(0) / here.sum()).sqrt()
        tips = [path.vertices[3] - (0, 1) for path in arrows(panel)]
        lengths = [float(abs(tip).max()) for tip in tips if abs(tip).max() < 0.5]
        assert sorted(lengths) == pytest.approx(sorted(expected.tolist()), abs=1e-9)


def test_another_world_for_the_execution() -> None:
    model = hiking.model()
    solution = infer(model, SVI(), progress=False)
    stormy = plot_beliefs({"fixed": solution}, hiking.model(noise=0.6)).axes
    assert stormy[0].get_title(loc="left") == "believes: return 8.35"
    assert stormy[1].get_title(loc="left") != "gets: 8.35"


def test_it_can_be_saved_and_pyplot_forgets_it() -> None:
    before = plt.get_fignums()
    file = io.BytesIO()
    plot_beliefs({"posterior": SOLUTIONS["posterior"]}).savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    assert plt.get_fignums() == before


def test_problems_without_a_map_are_refused() -> None:
    model = lottery.model()
    with pytest.raises(ValueError, match="map"):
        plot_beliefs({"posterior": infer(model, MessagePassing())})
    with pytest.raises(ValueError, match="model: only a tabular model"):
        plot_beliefs(SOLUTIONS, WINDY)
    with pytest.raises(ValueError, match="solutions"):
        plot_beliefs({})
