"""The drawn graph."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Ellipse, FancyArrow

import ppl_control
from ppl_control import MessagePassing, infer, plot_graph
from ppl_control.guides import FixedDynamics
from ppl_control.models import hiking
from ppl_control.plotting.graph import LEARNED
from ppl_control.plotting.places import place_sites
from ppl_control.plotting.sites import SiteGraph, model_graph
from tests.plotting.test_sites import WINDY

MODEL = hiking.model()


def parts(figure, kind: type) -> list:
    return [artist for artist in figure.axes[0].get_children() if type(artist) is kind]


def coloured(figure) -> int:
    return sum(e.get_facecolor() == to_rgba(LEARNED) for e in parts(figure, Ellipse))


def test_model_picture_has_every_site_and_edge() -> None:
    figure = plot_graph(MODEL)
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(labels) == sorted(
        ["$s_{0}$", "$a_{0}$", "$O_{0}$", "$s_{1}$", "$a_{1}$", "$O_{1}$", "$s_{2}$", r"$\cdots$"]
    )
    assert len(parts(figure, FancyArrow)) == 12
    grey = [e for e in parts(figure, Ellipse) if e.get_facecolor() == to_rgba("0.7")]
    assert len(grey) == 2
    assert coloured(figure) == 0


@pytest.mark.parametrize("given", ["bound", "recipe", "solution"])
def test_what_a_guide_may_change_is_coloured(given: str) -> None:
    guide = {
        "bound": lambda: plot_graph(FixedDynamics().build(MODEL)),
        "recipe": lambda: plot_graph(FixedDynamics(), MODEL),
        "solution": lambda: plot_graph(infer(MODEL, ppl_control.SoftValueIteration())),
    }
    assert coloured(guide[given]()) == 2


def test_pair_side_by_side() -> None:
    posterior = infer(MODEL, MessagePassing())
    figure = plot_graph({"posterior": posterior, "fixed dynamics": FixedDynamics()}, MODEL)
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert labels.count("$s_{1}$") == 2
    assert {"posterior", "fixed dynamics"} <= set(labels)
    assert coloured(figure) == 5 + 2


def test_steps() -> None:
    labels = [text.get_text() for text in plot_graph(MODEL, steps=3).axes[0].texts]
    assert "$s_{3}$" in labels
    assert "$a_{3}$" not in labels


@pytest.mark.parametrize("wrong", [3, None, "hiking", MODEL.mdp, FixedDynamics, {}])
def test_other_things_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="model_or_guide"):
        plot_graph(wrong)


def test_a_recipe_needs_a_model() -> None:
    with pytest.raises(ValueError, match=r"model: the recipe FixedDynamics"):
        plot_graph(FixedDynamics())


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_steps_are_checked(steps: object) -> None:
    with pytest.raises(ValueError, match="steps"):
        plot_graph(MODEL, steps=steps)


def test_pyplot_knows_nothing_of_the_figure() -> None:
    mine = plt.figure()
    plot_graph(MODEL)
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)


def test_time_runs_to_the_right_and_roles_have_rows() -> None:
    places = place_sites(model_graph(MODEL, 2))
    assert places["s_0"][0] < places["s_1"][0] < places["s_2"][0]
    assert places["a_0"][1] > places["s_0"][1] > places["O_0"][1]
    assert places["s_0"][1] == places["s_2"][1]


def test_sites_keep_clear_of_each_other() -> None:
    places = place_sites(model_graph(WINDY, 3))
    spots = np.array(list(places.values()))
    gaps = np.hypot(*(spots[:, None] - spots).transpose(2, 0, 1))
    assert len(places) == 4 + 3 + 3 + 3 + 1 + 3  # states, actions, factors, gusts, wind, data
    assert gaps[~np.eye(len(spots), dtype=bool)].min() > 0.9


def test_union_of_graphs_places_common_sites_once() -> None:
    one, two = SiteGraph({"s_0": "state"}), SiteGraph({"s_0": "state", "a_0": "action"}, {("s_0", "a_0")})
    both = SiteGraph.union([one, two])
    assert set(both.roles) == {"s_0", "a_0"}
    assert both.edges == {("s_0", "a_0")}
