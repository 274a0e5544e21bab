"""Demonstrations held against a tabular model: what is refused, and what is counted."""

import numpy as np
import pytest
import torch

from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.inference.exact.recursions import occupancies
from ppl_control.inverse import (
    Counts,
    Demonstrations,
    LinearReward,
    MaxEntIRL,
    TabularReward,
    expected_counts,
    from_decisions,
    occupancy,
)
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


@pytest.mark.parametrize(("horizon", "dtype"), [(4, torch.float32), (4, torch.float64), (None, torch.float64)])
def test_expected_counts_and_occupancy_are_one(horizon, dtype):
    transition = [[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0]] * 2]
    mdp = TabularMDP([1.0, 0.0], transition, [[1.0, 0.0]] * 2, done=[False, True], dtype=dtype)
    model = TrajectoryModel(mdp, horizon=horizon, discount=0.9)
    solution = infer(model, SoftValueIteration())
    counts, found = expected_counts(solution, model, 5), occupancy(solution, model)
    assert counts.decisions.dtype == torch.float64
    assert found.dtype == dtype
    torch.testing.assert_close(counts.decisions, 5 * found.double(), rtol=1e-5, atol=1e-7)
    assert (found[..., 1, :] == 0).all()
    fit = MaxEntIRL(TabularReward(2, 2), l2=0.1).fit(model, counts)
    torch.testing.assert_close(expected_counts(fit, model).decisions, expected_counts(fit.solution, model).decisions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3.0,), "solution: expected a fit or a solution, got 3.0"),
        ((None,), "solution: expected a fit or a solution, got None"),
        ((None, -3), "trajectories: expected a finite number > 0, got -3"),
        ((None, float("nan")), "trajectories: expected a finite number > 0, got nan"),
        ((None, "ten"), "trajectories: expected a finite number > 0, got 'ten'"),
        ((None, True), "trajectories: expected a finite number > 0, got True"),
    ],
)
def test_expected_counts_of_nothing(arguments, message):
    with pytest.raises(ValueError, match=message):
        expected_counts(arguments[0], hiking.model(), *arguments[1:])


def test_expected_counts_need_a_model_that_the_policy_fits():
    hiker = infer(hiking.model(), SoftValueIteration())
    with pytest.raises(ValueError, match="model: policies are carried out exactly on tables only, got None"):
        expected_counts(hiker, None)
    with pytest.raises(ValueError, match=r"solution: its policy does not fit TabularMDP\(4 states, 2 actions\)"):
        expected_counts(hiker, corridor())


def whole(**changes):
    """Counts of one walk right, right, right in the corridor, by hand."""
    outcomes = torch.zeros(4, 2, 2)
    outcomes[0, 1, 1] = outcomes[1, 1, 0] = outcomes[2, 1, 1] = 1
    decisions = torch.zeros(4, 4, 2)
    for t in range(3):
        decisions[t, t, 1] = 1
    given = {
        "trajectories": 1,
        "decisions": decisions,
        "starts": torch.tensor([1, 0, 0, 0]),
        "outcomes": outcomes,
        "cut": torch.zeros(5, 4),
        "discounted_outcomes": outcomes,
        "discounted_cut": np.zeros((5, 4)),
        "log_density": -2.0,
    }
    return given | changes


def changed(table, place, value):
    return (
        torch.as_tensor(table, dtype=torch.float64)
        .clone()
        .index_put(tuple(map(torch.tensor, place)), torch.tensor(value).double())
    )


def test_counts_by_hand_are_those_of_the_walk():
    world = make_world(corridor())
    walk = count(world, [[(0, 1, 1), (1, 1, 2), (2, 1, 3)]])
    ours = count(world, Counts(**whole(log_density=walk.log_density)))
    for name in ("decisions", "starts", "outcomes", "cut", "discounted_outcomes", "discounted_cut"):
        assert torch.equal(getattr(ours, name), getattr(walk, name)), name
        assert getattr(ours, name).dtype == torch.float64
    assert ours.log_prior == walk.log_prior
    assert repr(Counts(2, [[3, 1]])) == "Counts(2 trajectories, 4 decisions)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decisions": None}, "decisions: expected a rectangular table of numbers, got None"),
        ({"decisions": "many"}, "decisions: expected a rectangular table of numbers"),
        ({"decisions": torch.eye(2).to_sparse()}, "decisions: expected a rectangular table of numbers"),
        ({"decisions": torch.eye(2) * 1j}, "decisions: expected a rectangular table of numbers"),
        ({"decisions": np.ones(3)}, r"decisions: expected shape \[S, A\] or \[T, S, A\], got \[3\]"),
        ({"decisions": [[1.0, -2.0]]}, r"decisions\[0, 1\] is -2: expected a finite number >= 0"),
        ({"decisions": [[1.0, float("nan")]]}, r"decisions\[0, 1\] is nan: expected a finite number >= 0"),
        ({"decisions": [[float("inf"), 1.0]]}, r"decisions\[0, 0\] is inf: expected a finite number >= 0"),
        ({"decisions": torch.zeros(4, 4, 2)}, "decisions: expected at least one decision, got none"),
        ({"trajectories": 0}, "trajectories: expected a finite number > 0, got 0"),
        ({"trajectories": float("nan")}, "trajectories: expected a finite number > 0, got nan"),
        ({"trajectories": None}, "trajectories: expected a finite number > 0, got None"),
        ({"trajectories": 0.5}, "starts: expected at most 0.5 in all, got 1"),
        ({"starts": None}, "starts: expected starts, outcomes, .* together or none of them, got None"),
        ({"discounted_cut": None}, "discounted_cut: expected starts, outcomes, .* together or none of them, got None"),
        ({"starts": [1, 0]}, r"starts: expected shape \[4\], got \[2\]"),
        ({"starts": [2, 0, 0, -1]}, r"starts\[3\] is -1"),
        ({"outcomes": torch.zeros(4, 3, 2)}, r"outcomes: expected shape \[4, 2, K\], got \[4, 3, 2\]"),
        ({"outcomes": torch.zeros(4, 2, 2)}, "outcomes: expected one outcome for each decision"),
        ({"cut": torch.zeros(4)}, r"cut: expected shape \[5, 4\], got \[4\]"),
        ({"cut": torch.ones(5, 4)}, "cut: expected at most 1 in all, got 20"),
        ({"discounted_outcomes": torch.zeros(4, 2, 3)}, r"discounted_outcomes: expected shape \[4, 2, 2\], got"),
        ({"discounted_outcomes": torch.ones(4, 2, 2)}, "discounted_outcomes: expected no more than without"),
        ({"discounted_cut": torch.ones(5, 4)}, "discounted_cut: expected no more than without"),
        ({"log_density": float("nan")}, "log_density: expected a finite number where outcomes are known, got nan"),
        ({"log_density": None}, "log_density: expected a finite number where outcomes are known, got None"),
    ],
)
def test_counts_that_are_none(changes, message):
    with pytest.raises(ValueError, match=message):
        Counts(**whole(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"starts": [0, 1, 0, 0]}, r"starts where the model never starts are counted, at starts\[1\]"),
        (
            {
                "outcomes": changed(whole()["outcomes"], (1, 1, [0, 1]), [0, 1]),
                "discounted_outcomes": torch.zeros(4, 2, 2),
            },
            r"outcomes of probability 0 are counted, at outcomes\[1, 1, 1\]",
        ),
        (
            {
                "decisions": changed(whole()["decisions"], (3, 3, 0), 1),
                "outcomes": changed(whole()["outcomes"], (3, 0, 0), 1),
            },
            r"decisions in terminal states are counted, at decisions\[3, 3, 0\]",
        ),
        ({"cut": changed(torch.zeros(5, 4), (3, 3), 1)}, r"cut off in terminal states are counted, at cut\[3, 3\]"),
    ],
)
@pytest.mark.parametrize("objective", ["conditional", "dual", "trajectory"])
def test_counts_of_what_cannot_happen(changes, message, objective):
    counts = Counts(**whole(**changes))
    with pytest.raises(ValueError, match=f"demonstrations: impossible in this model: .*{message}"):
        MaxEntIRL(TabularReward(4, 2), objective, l2=0.1).fit(corridor(), counts)


def test_counts_of_another_number_of_outcomes():
    counts = Counts(
        **whole(
            outcomes=torch.cat([whole()["outcomes"], torch.zeros(4, 2, 1)], -1),
            discounted_outcomes=torch.zeros(4, 2, 3),
        )
    )
    with pytest.raises(ValueError, match="they belong to another model"):
        count(make_world(corridor()), counts)


def test_tables_of_decisions():
    counts = from_decisions([[3, 1], [0, 2]])
    assert counts.trajectories == 6
    for table, message in (([1, 2], "shape"), ([[-1, 2]], r"counts\[0, 0\]"), ([[0, 0]], "at least one")):
        with pytest.raises(ValueError, match=message):
            from_decisions(table)
    with pytest.raises(ValueError, match=r"expected counts of shape \[4, 4, 2\], got \[2, 2\]"):
        MaxEntIRL(TabularReward(4, 2)).fit(corridor(), counts)
    flat = from_decisions([[1, 1]] * 3 + [[0, 0]])
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
