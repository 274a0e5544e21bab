"""Tabular problems: dense and sparse tables, outcome lists, names, precision."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.mdp import GridLayout
from tests.mdp.test_bad_tables import tables


def same(one: TabularMDP, other: TabularMDP) -> None:
    for name in ("probability", "next_state", "reward", "done"):
        assert torch.equal(getattr(one.outcomes, name), getattr(other.outcomes, name)), name
    assert torch.equal(one.initial, other.initial)
    assert torch.equal(one.terminal, other.terminal)


@given(seed=st.integers(0, 1000), states=st.integers(1, 5), by_outcome=st.booleans())
def test_dense_sparse_and_outcomes_give_one_mdp(seed: int, states: int, by_outcome: bool):
    initial, transition, reward = tables((states, 2), seed)
    transition *= np.random.default_rng(seed).random(transition.shape) < 0.5
    transition[..., 0] += 1.0
    transition /= transition.sum(-1, keepdims=True)
    reward = reward if by_outcome else reward[..., 0]
    done = np.random.default_rng(seed).random(states) < 0.3
    dense = TabularMDP(initial, transition, reward, done=done)
    same(dense, TabularMDP(initial, torch.tensor(transition).to_sparse(), reward, done=done))
    same(dense, TabularMDP(initial.tolist(), transition.tolist(), torch.tensor(reward), done=done.tolist()))
    rows = [
        [
            [(transition[s, a, n], n, reward[s, a, n] if by_outcome else reward[s, a], done[n]) for n in range(states)]
            for a in range(2)
        ]
        if not done[s]
        else [[], []]
        for s in range(states)
    ]
    same(dense, TabularMDP.from_outcomes(rows, initial))
    same(dense, TabularMDP.from_outcomes(dict(enumerate(rows)), initial))


def test_equal_outcomes_become_one_and_different_ones_stay_apart():
    row = [(0.25, 0, 1.0, False), (0.25, 0, 1.0, False), (0.25, 0, 2.0, False), (0.25, 0, 1.0, True)]
    outcomes = TabularMDP.from_outcomes([[row]], [1.0]).outcomes
    found = sorted(zip(
        outcomes.probability[0, 0].tolist(),
        outcomes.reward[0, 0].tolist(),
        outcomes.done[0, 0].tolist(),
        strict=True,
    ))  # fmt: skip
    assert found == [(0.25, 1.0, True), (0.25, 2.0, False), (0.5, 1.0, False)]
    assert outcomes.share_successors
    assert outcomes.expected_reward.item() == 1.25


def test_successors_are_shared_only_by_outcomes_that_can_happen():
    rows = [[[(1.0, 0, 1.0, False)], [(0.5, 0, 1.0, False), (0.5, 1, 2.0, False)]]] * 2
    assert not TabularMDP.from_outcomes(rows, [1.0, 0.0]).outcomes.share_successors
    ends = [[[(0.5, 0, 1.0, True), (0.5, 1, 2.0, True)]]] * 2  # both outcomes end: one successor
    assert TabularMDP.from_outcomes(ends, [1.0, 0.0]).outcomes.share_successors


def test_rows_of_terminal_states_are_never_used():
    junk = [[[0.5, 0.5]], [[0.0, 0.0]]]
    mdp = TabularMDP([1.0, 0.0], junk, [[-1.0], [1e9]], done=[False, True])
    assert mdp.outcomes.reward.max() == 0  # −1 and the padding
    value = infer(TrajectoryModel(mdp, horizon=5), SoftValueIteration()).soft_value
    assert value[0].tolist() == pytest.approx([-1 - 0.5 - 0.25 - 0.125 - 0.0625, 0])


def test_names():
    mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]])
    assert (mdp.state_names, mdp.action_names) == (("s0",), ("a0", "a1"))
    mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]], state_names=["home"], action_names=("stay", "go"))
    assert (mdp.state_names, mdp.action_names) == (("home",), ("stay", "go"))
    assert repr(mdp) == "TabularMDP(1 states, 2 actions)"


def test_single_precision_throughout():
    initial, transition, reward = tables((4, 3), 5)
    double = TrajectoryModel(TabularMDP(initial, transition, reward), horizon=6)
    single = TrajectoryModel(TabularMDP(initial, transition, reward, dtype=torch.float32), horizon=6)
    for method in (MessagePassing(), SoftValueIteration()):
        exact, rough = infer(double, method), infer(single, method)
        assert rough.soft_value.dtype == rough.soft_q.dtype == torch.float32
        assert rough.log_evidence_bound == pytest.approx(exact.log_evidence_bound, rel=1e-5)


def test_the_caller_s_tables_are_left_alone():
    initial, transition, reward = (torch.tensor(table) for table in tables((3, 2), 1))
    kept = transition.clone()
    mdp = TabularMDP(initial, transition, reward)
    probability = mdp.outcomes.probability.clone()
    model = TrajectoryModel(mdp, horizon=2, discount=0.5)
    infer(model, MessagePassing())
    assert torch.equal(transition, kept)
    assert torch.equal(mdp.outcomes.probability, probability)
    transition.zero_()
    assert torch.equal(mdp.outcomes.probability, probability)


def test_layouts():
    layout = GridLayout(("ab", "cd"))
    assert layout.shape == (2, 2)
    assert (layout[2], layout.cell(3)) == ("c", (1, 1))
    mdp = TabularMDP(np.eye(4)[0], np.eye(4)[:, None], np.zeros((4, 1)))
    assert mdp.layout is None
    assert mdp.with_layout(layout).layout is layout
    assert mdp.layout is None
    with pytest.raises(ValueError, match="layout"):
        mdp.with_layout(GridLayout(("ab",)))
    for rows in ((), ("ab", "c"), ("", "")):
        with pytest.raises(ValueError, match="rows"):
            GridLayout(rows)
