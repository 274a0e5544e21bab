"""Sparse tables, columns and matrices by action make the same MDP as the dense table, and stay sparse."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csc_matrix, csr_array

from ppl_control import TabularMDP, TrajectoryModel

S, A = 5, 3


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    transition = rng.random((S, A, S)) * (rng.random((S, A, S)) < draw(st.floats(0.2, 1.0)))
    transition[..., 0] += (transition.sum(-1) == 0).astype(float)
    transition /= transition.sum(-1, keepdims=True)
    return transition, rng.normal(size=(S, A, S)), rng.random(S) < 0.3


def same(ours: TabularMDP, theirs: TabularMDP) -> None:
    for name in ("starts", "probability", "next_state", "reward", "done"):
        np.testing.assert_allclose(getattr(ours.sparse, name), getattr(theirs.sparse, name), rtol=1e-15, err_msg=name)
    assert ours.sparse.next_state.dtype == np.int32


@settings(max_examples=25)
@given(table=tables(), by_outcome=st.booleans())
def test_every_sparse_form_is_the_dense_table(table, by_outcome: bool):
    transition, paid, done = table
    reward = paid if by_outcome else paid[..., 0]
    first = np.eye(S)[0]
    dense = TabularMDP(first, transition, reward, done=done)
    flat, flat_paid = transition.reshape(S * A, S), paid.reshape(S * A, S)
    same(TabularMDP(first, torch.tensor(transition).to_sparse_coo(), reward, done=done), dense)
    for form in (csr_array, coo_array, csc_matrix):
        sparse_reward = form(np.where(flat > 0, flat_paid, 0.0)) if by_outcome else reward
        same(TabularMDP(first, form(flat), sparse_reward, done=done), dense)
    same(TabularMDP(first, [csr_array(transition[:, a]) for a in range(A)], reward, done=done), dense)
    state, action, following = transition.nonzero()
    shuffled = np.random.default_rng(0).permutation(len(state))
    state, action, following = (column[shuffled] for column in (state, action, following))
    columns = (state, action, transition[state, action, following], following)
    each = reward[state, action, following] if by_outcome else reward[state, action]
    same(TabularMDP.from_columns(*columns, each, first, terminal=done), dense)


def test_entries_written_twice_are_added_up():
    twice = coo_array(([0.25, 0.25, 0.5], ([0, 0, 0], [1, 1, 0])), shape=(2, 2)).tocsr()
    twice += csr_array(([1.0], ([1], [1])), shape=(2, 2))
    mdp = TabularMDP([1.0, 0.0], twice, np.zeros((2, 1)))
    assert mdp.outcomes.probability.tolist() == [[[0.5, 0.5]], [[1.0, 0.0]]]
    columns = TabularMDP.from_columns([0, 0, 0, 1], [0] * 4, [0.25, 0.25, 0.5, 1.0], [1, 1, 0, 1], 0.0, [1.0, 0.0])
    same(mdp, columns)


def test_columns_keep_outcomes_apart_that_pay_or_end_differently():
    mdp = TabularMDP.from_columns(
        [0] * 4, [0] * 4, [0.1, 0.2, 0.3, 0.4], [0] * 4, [1.0, 2.0, 1.0, 1.0], [1.0], done=[False, False, True, False]
    )
    assert mdp.outcomes.probability[0, 0].tolist() == [0.5, 0.3, 0.2]
    assert mdp.outcomes.reward[0, 0].tolist() == [1.0, 1.0, 2.0]
    assert mdp.outcomes.done[0, 0].tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"state": [0, 2]}, r"state\[1\] is 2: expected 0 … 1"),
        ({"action": [0, -1]}, r"action\[1\] is -1: expected 0 or more"),
        ({"next_state": [0.0, 1.0]}, "next_state: expected 2 integers, got shape .2. of float64"),
        ({"state": [0]}, "state: expected 2 integers"),
        ({"probability": [0.5, 1.0]}, r"probability\[0, 0\] sums to 0.5"),
        ({"probability": [np.nan, 1.0]}, r"probability\[0\] is nan"),
        ({"probability": [[1.0], [1.0]]}, "probability: expected one number an outcome"),
        ({"reward": [0.0, np.inf]}, r"reward\[1\] is inf"),
        ({"reward": [0.0, 0.0, 0.0]}, "reward: expected one number, or 2"),
        ({"done": [0, 1]}, "done: expected 2 booleans"),
        ({"terminal": [True]}, "terminal: expected 2 booleans"),
        ({"initial": 1.0}, "initial: expected shape"),
    ],
)
def test_bad_columns(change, match):
    columns = {"state": [0, 1], "action": [0, 0], "probability": [1.0, 1.0], "next_state": [1, 0], "reward": 0.0}
    with pytest.raises(ValueError, match=match):
        TabularMDP.from_columns(**({"initial": [1.0, 0.0]} | columns | change))


@pytest.mark.parametrize(
    ("transition", "reward", "match"),
    [
        (csr_array((3, 2)), np.zeros((2, 1)), r"transition: expected \[S·A, S\]"),
        ([csr_array((2, 2)), csr_array((3, 3))], np.zeros((2, 2)), r"transition\[1\]: expected"),
        (csr_array(np.eye(2)), csr_array((4, 2)), r"reward: expected shape \(2, 1\)"),
        (csr_array(np.array([[1.0, 0.0], [-0.5, 1.5]])), np.zeros((2, 1)), r"transition\[1, 0, 0\] is -0.5"),
        (csr_array(np.array([[1.0, 0.0], [0.0, 0.5]])), np.zeros((2, 1)), r"transition\[1, 0\] sums to 0.5"),
    ],
)
def test_bad_matrices(transition, reward, match):
    with pytest.raises(ValueError, match=match):
        TabularMDP([1.0, 0.0], transition, reward)


def test_what_was_given_stays_as_it_is():
    """Neither is the caller's matrix put in order, nor does the MDP change when it is changed later."""
    given_matrix = csr_array(([0.5, 0.5, 1.0], [1, 0, 1], [0, 2, 3]), shape=(2, 2))
    reward = np.ones((2, 1))
    mdp = TabularMDP([1.0, 0.0], given_matrix, reward)
    assert given_matrix.indices.tolist() == [1, 0, 1]
    given_matrix.data[:] = 9.0
    reward[:] = 9.0
    assert mdp.outcomes.probability[0, 0].tolist() == [0.5, 0.5]
    assert mdp.outcomes.reward[0, 0].tolist() == [1.0, 1.0]


def test_a_hub_costs_its_own_entries_only():
    """One state leads to all others: as wide a table for every state would be 10⁸ entries."""
    n = 10_000
    state = np.concatenate([np.zeros(n, int), np.arange(1, n)])
    following = np.concatenate([np.arange(n), np.zeros(n - 1, int)])
    chance = np.concatenate([np.full(n, 1 / n), np.ones(n - 1)])
    mdp = TabularMDP.from_columns(state, np.zeros_like(state), chance, following, 1.0, np.eye(1, n)[0])
    tables = TrajectoryModel(mdp, discount=0.9).tables
    assert len(mdp.sparse.probability) == 2 * n - 1
    assert tables.links[0].nnz == 2 * n - 1
    assert not {"outcomes"} & (mdp.__dict__.keys() | tables.__dict__.keys())


def test_what_single_precision_would_lose_is_refused():
    rare = [[[1 - 1e-60, 1e-60]], [[0.0, 1.0]]]
    assert TabularMDP([1.0, 0.0], rare, np.zeros((2, 1))).outcomes.probability[0, 0, 1] == 1e-60
    with pytest.raises(ValueError, match=r"dtype: the outcome of probability 1e-60 in state 0, action 0 would be lost"):
        TabularMDP([1.0, 0.0], rare, np.zeros((2, 1)), dtype=torch.float32)


def test_matrices_of_actions_are_added_up_and_looked_over():
    """Entries written twice, and indices that lead out, in matrices by action as in one."""
    pattern = ([1, 1, 0], [0, 2, 3])
    twice, paid = (csr_array((values, *pattern), shape=(2, 2)) for values in ([0.5, 0.5, 1.0], [1.0, 2.0, 5.0]))
    mdp = TabularMDP([1.0, 0.0], [twice], [paid])
    assert mdp.outcomes.probability.tolist() == [[[1.0]], [[1.0]]]
    assert mdp.outcomes.reward.tolist() == [[[3.0]], [[5.0]]]
    for index in (7, -1):
        damaged = csr_array(np.eye(2))
        damaged.indices[0] = index
        with pytest.raises(ValueError, match="transition: the matrix is damaged: indices must be"):
            TabularMDP([1.0, 0.0], damaged, np.zeros((2, 1)))


@pytest.mark.parametrize("action", [10**9, 2**63 - 1])
def test_an_action_beyond_all_others_costs_no_memory(action: int):
    with pytest.raises(ValueError, match=f"action: the largest is {action}, but 2 outcomes are too few"):
        TabularMDP.from_columns([0, 1], [0, action], [1.0, 1.0], [0, 1], 0.0, [1.0, 0.0])
