"""Demonstrations held against a tabular model: what is refused, and what is counted."""

import numpy as np
import pytest
import torch

from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.inference.exact.recursions import occupancies
from ppl_control.inverse import Demonstrations, LinearReward, MaxEntIRL, TabularReward, expected_counts, from_decisions
from ppl_control.inverse.demonstrations.counting import count
from ppl_control.inverse.world import make_world
from ppl_control.models import frozen_lake, hiking


def corridor(horizon=4, discount=1.0, prior=None):
    """States 0 1 2 and a goal 3: right may stay, left is certain; state 2 pays and ends or goes on."""
    outcomes = [
        [[(1.0, 0, 0.0, False)], [(0.5, 1, 0.0, False), (0.5, 0, 0.0, False)]],
        [[(1.0, 0, 0.0, False)], [(1.0, 2, 0.0, False)]],
        [[(1.0, 1, 0.0, False)], [(0.5, 3, 1.0, True), (0.5, 1, 0.0, True)]],
        [[], []],
    ]
    return TrajectoryModel(
        TabularMDP.from_outcomes(outcomes, [1.0, 0.0, 0.0, 0.0]), horizon=horizon, discount=discount, action_prior=prior
    )


def never_right():
    from ppl_control.policies import TabularPolicy

    return TabularPolicy(torch.tensor([[0.0, -torch.inf]] * 4))


@pytest.mark.parametrize(
    ("walks", "message"),
    [
        ([], "at least one trajectory"),
        ([[]], r"demonstrations\[0\].*empty"),
        ([[(0, 1, 1)], [(0, 1, 1), (1, 1, 4)]], r"demonstrations\[1\] step 2: state 4 is out of range"),
        ([[(0, 1, 1), (1, 1, 5), (5, 0, 1)]], r"demonstrations\[0\] step 2: state 5 is out of range, expected 0 … 3"),
        ([[(-1, 1, 1)]], r"demonstrations\[0\] step 0: state -1 is out of range"),
        ([[(0, 2, 1)]], r"demonstrations\[0\] step 0: action 2 is out of range, expected 0 … 1"),
        (
            [[(0, 1, 1)], [(0, 0, 1)]],
            r"demonstrations\[1\] step 0: impossible.*action 0 in state 0 cannot lead to state 1",
        ),
        (
            [[(0, 1, 1), (1, 1, 2), (2, 1, 3), (3, 0, 3)]],
            r"demonstrations\[0\] step 2: it acts after the trajectory ended",
        ),
        (
            [[(0, 1, 1), (1, 1, 2), (2, 1, 1), (1, 0, 0)]],
            r"demonstrations\[0\] step 2: it acts after the trajectory ended",
        ),
        ([[(1, 1, 2)]], r"demonstrations\[0\] step 0: impossible.*starts in state 1"),
        ([[(0, 0, 0)] * 5], r"demonstrations\[0\] step 4: the model has a horizon of 4"),
        ([[(0, 1, 1, True)]], r"demonstrations\[0\] step 0: it is said to end in state 1, and cannot"),
        ([[(0, 1, 1), (1, 1, 2), (2, 1, 3, False)]], r"demonstrations\[0\] step 2: it is said not to end"),
        ([[(0.5, 1, 1)]], r"demonstrations\[0\] step 0"),
    ],
)
@pytest.mark.parametrize("objective", ["conditional", "dual", "trajectory"])
def test_what_is_refused(walks, message, objective):
    with pytest.raises(ValueError, match=message):
        MaxEntIRL(TabularReward(4, 2), objective).fit(corridor(), walks)


def test_actions_that_the_prior_rules_out():
    with pytest.raises(ValueError, match=r"demonstrations\[0\] step 0: impossible.*no prior probability in state 0"):
        MaxEntIRL(TabularReward(4, 2)).fit(corridor(prior=never_right()), [[(0, 1, 1)]])


def test_vectors_are_no_states():
    walks = Demonstrations([torch.zeros(3, 2)], [torch.zeros(2, dtype=torch.int64)], [None])
    with pytest.raises(ValueError, match=r"demonstrations\[0\]: expected one index a state"):
        count(make_world(corridor()), walks)
    walks = Demonstrations([torch.zeros(3, dtype=torch.int64)], [torch.zeros(2, 2)], [None])
    with pytest.raises(ValueError, match=r"demonstrations\[0\]: expected one index an action"):
        count(make_world(corridor()), walks)


def test_a_start_that_is_over_only_where_the_model_may_start_so():
    walks = Demonstrations([[2], [0, 1]], [[], [1]], [None] * 2, True)
    transition, reward = torch.full((2, 2, 2), 0.5), torch.zeros(2, 2)
    never = TrajectoryModel(TabularMDP([0.5, 0.5], transition, reward), horizon=3)
    with pytest.raises(ValueError, match=r"demonstrations\[0\] step 0: impossible in this model: it starts ended"):
        count(make_world(never), walks)
    ends = TrajectoryModel(TabularMDP([0.5, 0.5], transition, reward, done=[False, True]), horizon=3)
    counts = count(make_world(ends), walks)
    assert counts.starts.tolist() == [1, 0]
    assert counts.trajectories == 2
    assert np.isfinite(counts.log_density)


def test_outcomes_are_matched_without_a_table_of_decisions_times_outcomes():
    """Weights by brute force: every outcome that names the state seen, by its share of the chance."""
    model = corridor(horizon=None, discount=0.5)
    world = make_world(model)
    walks = infer(model, SoftValueIteration()).sample(200, seed=2)
    record = count(world, walks).record
    states = [row[: length + 1] for row, length in zip(walks.states, walks.alive.sum(-1), strict=True)]
    following = torch.cat([row[1:] for row in states if len(row) > 1])
    assert len(record.row) == len(following) > len(record.state)
    q, gone = world.tables.outcomes.probability, world.tables.successor == 4
    for i, j in enumerate(record.row):
        s, a = record.state[j], record.action[j]
        hit = gone[s, a] if following[i] == 4 else world.named[s, a] == following[i]
        found = torch.zeros_like(q[s, a])
        found[record.outcome[record.entry == j]] = record.share[record.entry == j]
        torch.testing.assert_close(found, q[s, a] * hit / (q[s, a] * hit).sum())


def test_counts_of_walks_that_end_and_are_cut():
    world = make_world(corridor(horizon=None, discount=0.5))
    counts = count(world, [[(0, 1, 1), (1, 1, 2), (2, 1, 3)], [(0, 1, 0), (0, 1, 1)]])
    assert counts.trajectories == 2
    assert counts.num_decisions == 5
    assert counts.starts.tolist() == [2, 0, 0, 0]
    assert counts.decisions.tolist() == [[0, 3], [0, 1], [0, 1], [0, 0]]
    assert counts.cut.tolist() == [0, 1, 0, 0]
    assert counts.discounted_cut.tolist() == [0, 0.25, 0, 0]
    assert counts.outcomes.sum() == pytest.approx(5)
    assert counts.discounted_outcomes.sum() == pytest.approx(1 + 0.5 + 0.25 + 1 + 0.5)
    assert counts.log_density == pytest.approx(np.log([0.5 * 0.5, 0.5, 0.5, 0.5 * 0.5, 0.5 * 0.5]).sum())


def test_an_end_that_was_not_recorded():
    """Our own samples name no state after the end: shares of those possible, which only luck's objective refuses."""
    model = corridor()
    walks = Demonstrations([torch.tensor([0, 1, 2, 4])], [torch.tensor([1, 1, 1])], [None], survival_drawn=True)
    counts = count(make_world(model), walks)
    assert counts.unknown_end == (0, 2)
    assert counts.outcomes[2, 1].tolist() == [0.5, 0.5]
    assert MaxEntIRL(TabularReward(4, 2), "trajectory", l2=0.1).fit(model, walks).converged
    with pytest.raises(ValueError, match=r"demonstrations\[0\] step 2: it ends in a state that was not recorded"):
        MaxEntIRL(TabularReward(4, 2, "outcome"), "trajectory", l2=0.1).fit(model, walks)
    with pytest.raises(ValueError, match=r"cannot end it"):
        count(make_world(model), Demonstrations([torch.tensor([0, 4])], [torch.tensor([1])], [None], True))


@pytest.mark.parametrize("model", [hiking.model(), frozen_lake.model()], ids=["hiking", "lake"])
def test_many_samples_near_the_expected_counts(model):
    solution = infer(model.replaced(temperature=1.0), SoftValueIteration())
    world, n = make_world(model), 4000
    drawn, exact = count(world, solution.sample(n)), count(world, expected_counts(solution, model, n))
    for name in ("decisions", "starts", "outcomes", "discounted_outcomes"):
        ours, theirs = getattr(drawn, name), getattr(exact, name)
        assert ((ours - theirs).abs() <= 6 * (theirs + 1).sqrt()).all(), name
    assert drawn.log_density / n == pytest.approx(exact.log_density / n, rel=0.05)


def test_expected_counts_are_the_occupancies():
    model = hiking.model()
    solution = infer(model, SoftValueIteration())
    counts = expected_counts(solution, model, 10)
    visits = occupancies(model.tables, solution.guide.tables())[:-1, :-1]
    torch.testing.assert_close(counts.decisions.sum(-1), 10 * visits)


def test_tables_of_decisions():
    counts = from_decisions([[3, 1], [0, 2]])
    assert counts.trajectories == 6
    for table, message in (([1, 2], "shape"), ([[-1, 2]], r"counts\[0, 0\]"), ([[0, 0]], "at least one")):
        with pytest.raises(ValueError, match=message):
            from_decisions(table)
    with pytest.raises(ValueError, match=r"expected counts of shape \[4, 4, 2\], got \[2, 2\]"):
        MaxEntIRL(TabularReward(4, 2)).fit(corridor(), counts)
    flat = from_decisions(np.ones((4, 2)))
    endless = corridor(horizon=None, discount=0.9)
    with pytest.raises(ValueError, match=r"objective='dual' needs whole trajectories"):
        MaxEntIRL(TabularReward(4, 2), "dual").fit(endless, flat)
    assert (
        MaxEntIRL(LinearReward(torch.eye(2)[:, None].expand(2, 2, 2).repeat(2, 1, 1)), l2=1.0)
        .fit(endless, flat)
        .converged
    )
    with pytest.raises(ValueError, match="without prior probability"):
        MaxEntIRL(TabularReward(4, 2)).fit(corridor(horizon=None, discount=0.9, prior=never_right()), flat)
