"""Demonstrations in every form they come in, and what is said of those that are wrong."""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from ppl_control import SimulatorMDP, SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.inverse import Demonstrations
from ppl_control.inverse.demonstrations.decisions import decisions_of
from ppl_control.inverse.demonstrations.reading import as_demonstrations
from ppl_control.models import hiking, linear_quadratic
from ppl_control.policies import CategoricalMLP, TabularPolicy
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.sampling import sample_trajectories
from tests.environments import Corridor, Drift

nan = float("nan")


def test_triples() -> None:
    given = as_demonstrations([[(0, 1, 2), (2, 0, 1)], [(1, 1, 1)]])
    assert [states.tolist() for states in given.states] == [[0, 2, 1], [1, 1]]
    assert [actions.tolist() for actions in given.actions] == [[1, 0], [1]]
    assert given.terminated == (None, None)
    assert not given.survival_drawn
    assert (len(given), given.num_decisions) == (2, 3)
    assert repr(given) == "Demonstrations(2 trajectories, 3 decisions)"


def test_triples_that_say_whether_they_ended() -> None:
    given = as_demonstrations([[(0, 1, 2, False), (2, 0, 1, True)], [(1, 1, 1, False)], [(1, 1, 1, None)]])
    assert given.terminated == (True, False, None)


@pytest.mark.parametrize("kind", [bool, np.bool_, torch.tensor, np.array])
def test_ends_may_be_any_boolean(kind: Any) -> None:
    assert as_demonstrations([[(0, 1, 2, kind(False)), (2, 0, 1, kind(True))]]).terminated == (True,)
    assert Demonstrations([[0, 1], [0, 1]], [[0], [0]], [kind(False), None]).terminated == (False, None)  # type: ignore[list-item]


def test_many_indices_at_once_and_one_by_one_are_the_same() -> None:
    """Plain integers are read together; the same numbers as vectors' entries or NumPy bytes step by step."""
    draws = np.random.default_rng(0)
    plain: list[list[tuple[Any, ...]]] = []
    for length in draws.integers(1, 5, 30):
        walk = draws.integers(0, 200, length + 1).tolist()
        plain.append([(walk[t], t, walk[t + 1], None if t + 1 < length else bool(length % 2)) for t in range(length)])
    slow = [[(np.uint8(s), np.uint8(a), np.uint8(n), end) for s, a, n, end in steps] for steps in plain]
    ones, others = as_demonstrations(plain), as_demonstrations(slow)
    assert ones.terminated == others.terminated
    for name in ("states", "actions"):
        for one, other in zip(getattr(ones, name), getattr(others, name), strict=True):
            assert torch.equal(one, other)
            assert one.dtype == other.dtype == torch.int64


@pytest.mark.slow
def test_many_short_trajectories_are_read_in_a_moment() -> None:
    given, started = [[(0, 1, 2)] for _ in range(100_000)], time.perf_counter()
    assert decisions_of(given, _grid()).states.shape == (100_000,)
    assert time.perf_counter() - started < 8  # 1.5 s; one by one it was 14 s


def test_vectors_and_generators() -> None:
    states = np.arange(6, dtype=np.float32).reshape(3, 2)
    steps = ((states[t], [0.5], torch.as_tensor(states[t + 1])) for t in range(2))
    given = Demonstrations.from_triples(iter([steps]))
    assert torch.equal(given.states[0], torch.as_tensor(states))
    assert given.actions[0].tolist() == [[0.5], [0.5]]
    learned = torch.ones(2, requires_grad=True)
    assert not Demonstrations.from_triples([[(learned, 0, learned)]]).states[0].requires_grad


def test_rows_may_be_lists_or_arrays() -> None:
    given = Demonstrations([[0, 1, 2]], np.array([[1, 0]], dtype=np.uint8), [True])  # type: ignore[arg-type, list-item]
    assert given.states[0].tolist() == [0, 1, 2]
    assert given.actions[0].dtype == torch.int64
    assert as_demonstrations(given) is given
    frozen = np.broadcast_to(0, 3)  # of which torch warns
    assert Demonstrations([frozen], [frozen[:2]], [None]).states[0].tolist() == [0, 0, 0]  # type: ignore[list-item]


def test_bytes_are_indices_and_no_mask() -> None:
    given = Demonstrations.from_triples([[(np.uint8(1), np.uint8(0), np.uint8(1))]])
    assert given.states[0].dtype == given.actions[0].dtype == torch.int64


def test_own_trajectories_of_a_table() -> None:
    model = hiking.model(horizon=8)
    sampled = infer(model, SoftValueIteration()).sample(40, seed=1)
    given = as_demonstrations(sampled)
    assert given.survival_drawn
    assert given.num_decisions == int(sampled.alive.sum())
    lengths = {len(actions) for actions in given.actions}
    assert min(lengths) < 8
    assert max(lengths) == 8
    for i, states in enumerate(given.states):
        assert torch.equal(states, sampled.states[i, : len(states)])
        assert bool((states[:-1] < model.tables.num_states).all())
    found = decisions_of(given, model)
    assert len(found) == given.num_decisions
    assert torch.equal(found.states, torch.cat([states[:-1] for states in given.states]))
    assert torch.equal(found.t, torch.cat([torch.arange(len(actions)) for actions in given.actions]))


def test_own_trajectories_of_a_simulator() -> None:
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3, limit=6))
    with RandomStream(0):
        sampled = sample_trajectories(model, SimulatorGuide(model, TabularPolicy.uniform(4, 2)), 30)
    given = Demonstrations.from_trajectories(sampled, survival_drawn=False)
    assert not given.survival_drawn
    assert {len(actions) for actions in given.actions} >= {3, 6}
    for states, actions in zip(given.states, given.actions, strict=True):
        assert torch.equal(states.diff(), actions)


def test_only_samples_are_own_trajectories() -> None:
    for given in (None, [[(0, 0, 1)]]):
        with pytest.raises(ValueError, match=r"trajectories: expected what Solution\.sample returns"):
            Demonstrations.from_trajectories(given)  # type: ignore[arg-type]


def test_own_trajectories_of_vectors() -> None:
    model = linear_quadratic.model(horizon=4)
    sampled = infer(model, SoftValueIteration()).sample(5)
    given = as_demonstrations(sampled)
    assert not given.survival_drawn
    assert given.states[0].shape == (5, model.mdp.state_dim)
    found = decisions_of(given, model)
    assert found.states.dtype == model.mdp.dtype
    assert found.actions.shape == (20, model.mdp.action_dim)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "demonstrations: expected at least one trajectory, got none"),
        (None, r"demonstrations: expected lists of \(state, action, next state\), got None"),
        ({"a": [(0, 0, 1)]}, "demonstrations: expected trajectories, lists of triples or a dataset, got {"),
        ([{(0, 0, 1): 1}], r"demonstrations\[0\]: expected a list of steps, got {"),
        ([{(0, 0, 1), (1, 0, 1)}], r"demonstrations\[0\]: expected a list of steps, got {"),
        ([[{0: "a", 1: "b", 2: "c"}]], r"demonstrations\[0\] step 0: expected \(state, action, next state.*, got {"),
        ([[(0, 0, 1), "012"]], r"demonstrations\[0\] step 1: expected \(state, action, next state.*, got '012'"),
        ([[(0, 0, 1), (1, 0, 1, 0.0)]], r"demonstrations\[0\] step 1: expected terminated to be True.*, got 0.0"),
        ([[(0, 0, 1, -0.1)]], r"demonstrations\[0\] step 0: expected terminated to be True.*, got -0.1"),
        ([[(0, 0, 1, nan)]], r"demonstrations\[0\] step 0: expected terminated to be True.*, got nan"),
        ([[(0, 0, 1, 1)]], r"demonstrations\[0\] step 0: expected terminated to be True.*, got 1"),
        ([[(0, 0, 1, "no")]], r"demonstrations\[0\] step 0: expected terminated to be True.*, got 'no'"),
        ([[(0, 0, 1, [])]], r"demonstrations\[0\] step 0: expected terminated to be True.*, got \[\]"),
        ([[(0, 0, 1, np.array([1, 2]))]], r"demonstrations\[0\] step 0: expected terminated to be True, False or None"),
        (
            [[(0, 0, 1)], [(0, 0, 1, torch.tensor([True, False]))]],
            r"demonstrations\[1\] step 0: expected terminated to be True, False or None",
        ),
        (
            [[(0, 0, 1), (1, 0, 2**63)]],
            r"demonstrations\[0\] step 1: expected next state below .*, got 9223372036854775808",
        ),
        ([[(2**63, 0, 1)]], r"demonstrations\[0\] step 0: expected state below .*, got 9223372036854775808"),
        (
            [[(0, 2**64, 1)]],
            r"demonstrations\[0\] step 0: expected action as a number or vector, got 18446744073709551616",
        ),
        ([[(0, 0, -(2**63) - 1)]], r"demonstrations\[0\] step 0: expected next state as a number or vector, got -9"),
        ([[([torch.ones(1, requires_grad=True)], 0, 1)]], r"demonstrations\[0\] step 0: expected state as a number"),
        (3, r"demonstrations: expected lists of \(state, action, next state\), got 3"),
        ("expert-v0", "demonstrations: expected trajectories, lists of triples or a dataset, got 'expert-v0'"),
        ([[(0, 0, 1)], []], r"demonstrations\[1\]: expected at least one step, got an empty trajectory"),
        ([[(0, 0, 1)], 5], r"demonstrations\[1\]: expected a list of steps, got 5"),
        ([[(0, 0, 1), 7]], r"demonstrations\[0\] step 1: expected \(state, action, next state.*, got 7"),
        ([[(0, 0)]], r"demonstrations\[0\] step 0: expected \(state, action, next state"),
        ([[(0, 0, 1, True, 5)]], r"demonstrations\[0\] step 0: expected \(state, action, next state"),
        ([[(0, 0, 1), (2, 0, 1)]], r"demonstrations\[0\] step 1: it starts in state 2, but step 0 led to 1"),
        ([[(0, 0, 1, True), (1, 0, 1)]], r"demonstrations\[0\] step 1: it acts after the trajectory ended at step 0"),
        ([[("a", 0, 1)]], r"demonstrations\[0\] step 0: expected state as a number or vector, got 'a'"),
        ([[(0, None, 1)]], r"demonstrations\[0\] step 0: expected action as a number or vector, got None"),
        ([[(0, True, 1)]], r"demonstrations\[0\] step 0: expected action as a number or vector, got True"),
        ([[(0, 0, [[1]])]], r"demonstrations\[0\] step 0: expected next state as a number or vector"),
        ([[(0, 0, [1, [2]])]], r"demonstrations\[0\] step 0: expected next state as a number or vector"),
        ([[([1.0, [2]], 0, 0)]], r"demonstrations\[0\] step 0: expected state as a number or vector"),
        ([[([0.0, 1.0], 0, [0.0])]], r"step 0: expected next state as a number or vector of shape \[2\], got \[0.0\]"),
        (
            [[(0, [0], 1), (1, [0, 1], 1)]],
            r"step 1: expected action as a number or vector of shape \[1\], got \[0, 1\]",
        ),
        ([[([0.0], 0, [nan])]], r"demonstrations\[0\] step 1: expected a finite state, got \[nan\]"),
        ([[([0.0], 0, [1.0]), ([1.0], nan, [1.0])]], r"demonstrations\[0\] step 1: expected a finite action, got nan"),
    ],
)
def test_errors_name_trajectory_and_step(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_demonstrations(given)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([], [], []), "demonstrations: expected at least one trajectory, got none"),
        (([[0, 1]], [[0]], []), "expected as many rows of states, actions and ends, got 1, 1 and 0"),
        (([[0, 1], [0, 1]], [[0], [0, 0]], [None] * 2), r"demonstrations\[1\]: expected one state more than actions"),
        (([[0], [1]], [[], []], [None] * 2), "expected at least one decision, got empty trajectories"),
        (([0], [[0]], [None]), r"demonstrations\[0\]: expected states as a row of numbers or of vectors, got 0"),
        (([[0, 1]], ["up"], [None]), r"demonstrations\[0\]: expected actions as a row of numbers or of vectors"),
        (([[0, 1]], [[True]], [None]), r"demonstrations\[0\]: expected actions as a row of numbers"),
        (([[[0], [1, 2]]], [[0]], [None]), r"demonstrations\[0\]: expected states as a row of numbers"),
        ((None, [[0]], [None]), "states: expected a row for each trajectory, got None"),
        (([torch.eye(2)[0].to_sparse()], [[0]], [None]), r"demonstrations\[0\]: expected states as a row of numbers"),
        (([[0, 1]], 3, [None]), "actions: expected a row for each trajectory, got 3"),
        (({0: [0, 1]}, [[0]], [None]), "states: expected a row for each trajectory, got {"),
        (([[0, 1]], [[0]], None), "terminated: expected True, False or None for each trajectory, got None"),
        (([[0, 1]], [[0]], True), "terminated: expected True, False or None for each trajectory, got True"),
        (([[0, 1]], [[0]], [[True]]), r"demonstrations\[0\]: expected terminated to be True.*, got \[True\]"),
        (([[0, 1]] * 2, [[0]] * 2, [None, "x"]), r"demonstrations\[1\]: expected terminated to be True.*, got 'x'"),
        (([[0, 1]], [[0]], [nan]), r"demonstrations\[0\]: expected terminated to be True.*, got nan"),
        (([[0, 1]], [[0]], [2]), r"demonstrations\[0\]: expected terminated to be True.*, got 2"),
        (([[0, 1]], [[0]], [-1]), r"demonstrations\[0\]: expected terminated to be True.*, got -1"),
        (([[0, 1]], [[0]], [None], "yes"), "survival_drawn: expected True or False, got 'yes'"),
        (([[0, 1]], [[0]], [None], None), "survival_drawn: expected True or False, got None"),
        (([[0, 2**63]], [[0]], [None]), r"demonstrations\[0\]: expected states as a row of numbers"),
        (
            ([np.array([0, 2**63], dtype=np.uint64)], [[0]], [None]),
            r"demonstrations\[0\] step 1: expected states below .*, got 9223372036854775808",
        ),
        (
            ([[0.0, 1.0], [0.0, nan]], [[0]] * 2, [None] * 2),
            r"demonstrations\[1\] step 1: expected a finite state, got nan",
        ),
    ],
)
def test_columns_that_do_not_fit(columns: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Demonstrations(*columns)


def _grid() -> TrajectoryModel:
    return TrajectoryModel(TabularMDP([1.0, 0.0], np.full((2, 3, 2), 0.5), np.zeros((2, 3))), horizon=5)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (_grid, [[(0, 0, 1), (1, 3, 1)]], r"demonstrations\[0\] step 1: expected an action from 0 to 2, got 3"),
        (_grid, [[(0, 0, 1)], [(2, 0, 1)]], r"demonstrations\[1\] step 0: expected a state from 0 to 1, got 2"),
        (_grid, [[(0.5, 0, 1.0)]], r"demonstrations\[0\] step 0: expected a state from 0 to 1, got 0.5"),
        (_grid, [[([0], 0, [1])]], r"demonstrations\[0\] step 0: expected a state that is an index, got shape \[1\]"),
        ("CartPole-v1", [[([0.0] * 4, 2, [0.0] * 4)]], "step 0: expected an action from 0 to 1, got 2"),
        ("CartPole-v1", [[([0.0] * 3, 1, [0.0] * 3)]], r"expected a state of shape \[4\], got shape \[3\]"),
        ("Pendulum-v1", [[([0.0] * 3, [2.1], [0.0] * 3)]], r"expected an action between \[-2.0\] and \[2.0\], got"),
        ("Pendulum-v1", [[([0.0] * 3, 1.0, [0.0] * 3)]], r"expected an action of shape \[1\], got shape \[\]"),
    ],
)
def test_decisions_that_are_not_the_model_s(model: Any, given: Any, message: str) -> None:
    made = TrajectoryModel(SimulatorMDP(model), discount=0.9) if isinstance(model, str) else model()
    with pytest.raises(ValueError, match=message):
        decisions_of(given, made)


def test_actions_a_rounding_beyond_the_bounds_are_put_on_them() -> None:
    model = TrajectoryModel(SimulatorMDP(Drift), discount=0.9)  # bounds −1 and 3
    found = decisions_of([[([0.0, 0.0], [3.00001, -1.0], [0.0, 0.0])]], model)
    assert found.actions.tolist() == [[3.0, -1.0]]


def test_a_trajectory_without_decisions_counts_for_nothing() -> None:
    given = Demonstrations(
        [torch.tensor([1]), torch.tensor([0, 1])], [torch.tensor([]), torch.tensor([2])], [True, None]
    )
    found = decisions_of(given, _grid())
    assert (found.trajectory.tolist(), found.actions.tolist()) == ([1], [2])


def test_episodes_of_gymnasium_as_triples() -> None:
    env = gymnasium.make("CartPole-v1")
    steps, done = [], False
    state, _ = env.reset(seed=0)
    while not done:
        following, _, done, _, _ = env.step(0)
        steps.append((state, 0, following, done))
        state = following
    env.close()
    given = as_demonstrations([steps])
    assert given.terminated == (True,)
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.99)
    found = decisions_of(given, model)
    assert CategoricalMLP(2, num_features=4, dtype=torch.float32)(found.states).log_prob(found.actions).shape == (
        len(steps),
    )
