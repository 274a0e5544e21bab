"""Grids drawn as text."""

import pytest
import torch

from ppl_control import SoftValueIteration, evaluate, infer
from ppl_control.models import gridworld, hiking

DOWN, RIGHT = 1, 2


def dense(mdp) -> torch.Tensor:
    table = torch.zeros(mdp.num_states, mdp.num_actions, mdp.num_states, dtype=mdp.dtype)
    return table.scatter_add_(-1, mdp.outcomes.next_state, mdp.outcomes.probability)


def test_a_move_slips_to_either_side():
    mdp = gridworld.mdp("S..\n...\n..G", noise=0.2)
    row = dense(mdp)[4, RIGHT]
    assert row.tolist() == [0, 0.1, 0, 0, 0, 0.8, 0, 0.1, 0]


def test_walls_and_edges_are_bumped_into():
    mdp = gridworld.mdp("S#\n.G", noise=0.0)
    assert dense(mdp)[0, RIGHT].tolist() == [1, 0, 0, 0]
    assert dense(mdp)[0, DOWN].tolist() == [0, 0, 1, 0]
    slips = dense(gridworld.mdp("S#\n.G", noise=0.5))[0, DOWN]
    assert slips.tolist() == [0.5, 0, 0.5, 0]  # to the left the edge, to the right the wall


def test_terminal_cells_pay_once_and_end():
    mdp = gridworld.mdp("SG", terminal={"G": 3.0}, step_reward=-1.0, noise=0.0)
    assert bool(mdp.outcomes.done[1].all())
    assert mdp.outcomes.reward[1].tolist() == [[3.0]] * 4
    assert mdp.outcomes.reward[0, RIGHT, 0] == -1.0
    model = gridworld.model("SG", {"G": 3.0}, -1.0, 0.0, horizon=2, temperature=1e-3)
    solution = infer(model, SoftValueIteration())
    assert evaluate(solution, model).executed_return == pytest.approx(2.0, abs=1e-2)


def test_several_starts_are_equally_likely():
    mdp = gridworld.mdp(["S.S", "..G"])
    assert mdp.initial.tolist() == [0.5, 0, 0.5, 0, 0, 0]
    assert mdp.state_names[5] == "G(1, 2)"
    assert mdp.action_names == ("left", "down", "right", "up")


@pytest.mark.parametrize(
    ("drawing", "noise", "match"),
    [("...\n..G", 0.1, "drawing"), ("S..\n..", 0.1, "rows"), ("S.G", 1.5, "noise"), ("S.G", -0.1, "noise")],
)
def test_bad_drawings(drawing: str, noise: float, match: str):
    with pytest.raises(ValueError, match=match):
        gridworld.mdp(drawing, noise=noise)


def test_the_hiking_map_is_the_one_of_the_book():
    layout = hiking.mdp().layout
    assert layout is not None
    assert layout.rows == (".....", ".#...", ".#W#E", "S....", "HHHHH")
    assert hiking.mdp().initial.argmax() == 15
