"""Bad tables: a ValueError that names the argument, the place and the value, whatever the table's size."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ppl_control import TabularMDP

sizes = st.tuples(st.integers(1, 4), st.integers(1, 3))
seeds = st.integers(0, 1000)


def tables(size: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A good initial distribution, transition and reward table."""
    (states, actions), rng = size, np.random.default_rng(seed)
    initial = rng.dirichlet(np.ones(states))
    transition = rng.dirichlet(np.ones(states), size=(states, actions))
    return initial, transition, rng.normal(size=(states, actions, states))


def place(data: st.DataObject, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(data.draw(st.integers(0, n - 1)) for n in shape)


def refused(match: str, *args, **kwargs) -> None:
    with pytest.raises(ValueError, match=match):
        TabularMDP(*args, **kwargs)


def named(name: str, index: tuple[int, ...]) -> str:
    return re.escape(f"{name}{list(index)}")


@given(size=sizes, seed=seeds, data=st.data(), factor=st.sampled_from([0.0, 0.5, 0.999, 1.001, 2.0]))
def test_a_row_that_does_not_sum_to_one(size, seed, data, factor):
    initial, transition, reward = tables(size, seed)
    row = place(data, size)
    transition[row] *= factor
    refused(named("transition", row) + f" sums to {factor:.12g}", initial, transition, reward)


@given(size=sizes, seed=seeds, data=st.data(), bad=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_entries_that_are_no_numbers(size, seed, data, bad):
    good = dict(zip(("initial", "transition", "reward"), tables(size, seed), strict=True))
    for name, table in good.items():
        index, spoiled = place(data, table.shape), table.copy()
        spoiled[index] = bad
        refused(rf"{named(name, index)} is {bad}: expected a finite", **(good | {name: spoiled}))


@given(size=sizes, seed=seeds, data=st.data())
def test_negative_probabilities(size, seed, data):
    initial, transition, reward = tables(size, seed)
    index = place(data, transition.shape)
    assume(transition.shape[-1] > 1)
    transition[index] -= 1.0
    transition[index[:2]][index[2] - 1] += 1.0  # the row still sums to 1
    match = named("transition", index) + r" is -0\.\d+: expected a probability"
    refused(match, initial, transition, reward)


@given(size=sizes, seed=seeds, data=st.data())
def test_sparse_tables_name_the_same_places(size, seed, data):
    initial, transition, reward = tables(size, seed)
    index = place(data, transition.shape)
    spoiled = transition.copy()
    spoiled[index] = -1.0
    refused(named("transition", index), initial, torch.tensor(spoiled).to_sparse(), reward)
    spoiled[index] = 3.0
    refused(named("transition", index[:2]), initial, torch.tensor(spoiled).to_sparse(), reward)


@given(size=sizes, seed=seeds, data=st.data(), factor=st.sampled_from([0.0, 0.9, 1.1]))
def test_initial_distributions(size, seed, data, factor):
    initial, transition, reward = tables(size, seed)
    refused(f"initial sums to {factor:.12g}", initial * factor, transition, reward)
    initial[0] -= 2.0
    refused(r"initial\[0\] is -", initial, transition, reward)


@given(size=sizes, seed=seeds)
def test_wrong_shapes(size, seed):
    initial, transition, reward = tables(size, seed)
    states, _ = size
    longer = np.append(initial, 0.0)
    refused(rf"initial: expected shape \({states},\), got \({states + 1},\)", longer, transition, reward)
    refused(r"transition: expected shape \[S, A, S\]", initial, transition[0], reward)
    refused(r"transition: expected shape \[S, A, S\]", initial, transition[:, :0], reward)
    refused(r"reward: expected shape", initial, transition, reward[..., :-1])
    refused(r"reward: expected shape", initial, transition, 0.0)
    refused(rf"done: expected {states} booleans", initial, transition, reward, done=[True] * (states + 1))
    refused(r"done: expected \d booleans", initial, transition, reward, done=[1] * states)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"transition": [[[1.0]], [[1.0], [2.0]]]}, "transition: expected a rectangular table"),
        ({"reward": [["much"]]}, "reward: expected a rectangular table of numbers"),
        ({"initial": None}, "initial"),
        ({"state_names": ["here", "there"]}, "state_names: expected 1 names, got 2"),
        ({"action_names": []}, "action_names: expected 1"),
        ({"dtype": torch.int64}, "dtype"),
    ],
)
def test_other_arguments(change: dict, match: str):
    refused(match, **({"initial": [1.0], "transition": [[[1.0]]], "reward": [[0.0]]} | change))


def test_names_differ_from_each_other():
    refused("action_names.*differ", [1.0], [[[1.0], [1.0]]], [[0.0, 0.0]], action_names=["go", "go"])


def test_rows_may_be_off_by_the_input_s_own_precision():
    """A table in float32 may be off by a few 1e-4, one in float64 by 1e-8; inside, rows sum to 1 again."""
    off = np.array([[[0.5, 0.5 + 2e-4]], [[0.0, 1.0]]])
    refused(r"transition\[0, 0\]", [1.0, 0.0], off, [[0.0], [0.0]])
    mdp = TabularMDP([1.0, 0.0], off.astype(np.float32), [[0.0], [0.0]])
    assert mdp.dtype == torch.float64
    torch.testing.assert_close(mdp.outcomes.probability.sum(-1), torch.ones(2, 1).double(), rtol=0, atol=1e-15)
    refused(r"transition\[0, 0\]", [1.0, 0.0], off.astype(np.float32) * 1.01, [[0.0], [0.0]])
