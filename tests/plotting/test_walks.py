"""Cells that a walk enters, held against simulation and against what is known of the lake."""

import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from ppl_control.guides.tabular import TabularGuide
from ppl_control.mdp import GridLayout
from ppl_control.models import cliff_walking, frozen_lake, gridworld, hiking
from ppl_control.plotting.walks import directions, walk

LEFT, DOWN, RIGHT, UP = [-1, 0], [0, 1], [1, 0], [0, -1]
N = 20_000


@pytest.mark.parametrize("problem", [hiking, gridworld], ids=lambda module: module.__name__.split(".")[-1])
@pytest.mark.parametrize("method", [MessagePassing(), SoftValueIteration()], ids=["posterior", "variational"])
def test_entered_as_often_as_in_simulation(problem, method) -> None:
    model = problem.model()
    solution = infer(model, method)
    way = walk(solution.guide, evaluate(solution, model).believed_states)
    states = solution.sample(N, seed=1).states
    often = torch.stack([(states == s).any(1).double().mean() for s in range(model.mdp.num_states)])
    slack = 5 * (way.entered * (1 - way.entered) / N).sqrt() + 1e-3
    assert ((way.entered - often).abs() <= slack).all()


def test_lake_goal_is_entered_with_the_probability_of_its_reward() -> None:
    model = frozen_lake.model()
    solution = infer(model, MessagePassing())
    result = evaluate(solution, model)
    believed = walk(solution.guide, result.believed_states).entered
    executed = walk(TabularGuide(model, solution.policy), result.executed_states).entered
    assert float(believed[15]) == pytest.approx(result.believed_return, abs=1e-9)
    assert float(executed[15]) == pytest.approx(result.executed_return, abs=1e-9)
    assert float(executed[15]) == pytest.approx(0.0141, abs=5e-5)
    ends = executed[[5, 7, 11, 12, 15]].sum()  # whoever has not ended is still on the ice
    assert float(ends) == pytest.approx(1 - float(result.executed_states[-1].sum()), abs=1e-9)


def test_a_reward_paid_on_leaving_is_no_second_arrival() -> None:
    outcomes = [[[(0.5, 1, 0.0, False), (0.5, 0, 0.0, False)]], [[(1.0, 1, 1.0, True)]]]
    mdp = TabularMDP.from_outcomes(outcomes, [1.0, 0.0], layout=GridLayout(("SG",)))
    model = TrajectoryModel(mdp, horizon=2)
    solution = infer(model, SoftValueIteration())
    assert walk(solution.guide, evaluate(solution, model).believed_states).entered.tolist() == [1.0, 0.75]


def test_actions_are_averaged_over_the_time_spent() -> None:
    model = hiking.model()
    solution = infer(model, SoftValueIteration())
    result = evaluate(solution, model)
    way = walk(solution.guide, result.believed_states)
    start = 15
    here = result.believed_states[:-1, start]
    chosen = (here[:, None] * solution.guide.tables().policy.exp()[:, start]).sum(0) / here.sum()
    assert torch.allclose(way.actions[start], chosen)
    visited = result.believed_states[:-1].sum(0) > 0
    assert torch.allclose(way.actions.sum(-1), visited.double())


def test_without_a_horizon_the_chances_are_those_of_a_long_one() -> None:
    model = TrajectoryModel(frozen_lake.mdp(), temperature=0.02, discount=0.9, action_prior="uniform")
    solution = infer(model, SoftValueIteration())
    way = walk(solution.guide, evaluate(solution, model).believed_states)
    long = model.replaced(horizon=300)
    guide = TabularGuide(long, solution.policy)
    timed = walk(guide, torch.ones(301, 16, dtype=torch.float64))
    assert torch.allclose(way.entered, timed.entered, atol=1e-9)
    assert torch.allclose(way.actions[0], solution.guide.tables().policy[0].exp())


@pytest.mark.parametrize(
    ("mdp", "expected"),
    [
        (hiking.mdp(0.3), [LEFT, DOWN, RIGHT, UP]),
        (frozen_lake.mdp(), [LEFT, DOWN, RIGHT, UP]),
        (cliff_walking.mdp(), [UP, RIGHT, DOWN, LEFT]),  # falls lead back to the start and point nowhere
    ],
    ids=["hiking", "frozen_lake", "cliff_walking"],
)
def test_directions_are_read_off_the_transitions(mdp: TabularMDP, expected: list[list[int]]) -> None:
    assert torch.allclose(directions(mdp), torch.tensor(expected).double(), atol=1e-12)


def test_an_action_that_moves_nowhere_has_no_direction() -> None:
    mdp = TabularMDP([1, 0], [[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[0, 0]] * 2, layout=GridLayout(("..",)))
    assert directions(mdp).tolist() == [[0, 0], [1, 0]]
