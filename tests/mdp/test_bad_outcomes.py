"""Bad outcome lists: the message names the state, the action and the outcome."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppl_control import TabularMDP

GOOD = (1.0, 0, 0.0, False)


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ((1.5, 0, 0.0, False), "p is 1.5: expected a probability"),
        ((-0.5, 0, 0.0, False), "p is -0.5"),
        ((math.nan, 0, 0.0, False), "p is nan"),
        ((1.0, 2, 0.0, False), "next_state is 2: expected 0 … 1"),
        ((1.0, -1, 0.0, False), "next_state is -1"),
        ((1.0, 0.5, 0.0, False), "next_state is 0.5"),
        ((1.0, math.inf, 0.0, False), "next_state"),
        ((1.0, 0, math.nan, False), "reward is nan: expected a finite"),
        ((1.0, 0, math.inf, False), "reward is inf"),
        ((1.0, 0, 0.0), r"expected \(p, next_state, reward, done\), got \(1.0, 0, 0.0\)"),
        ((1.0, "home", 0.0, False), "home"),
        (None, "got None"),
    ],
)
@given(state=st.integers(0, 1), action=st.integers(0, 2), position=st.integers(0, 1))
def test_bad_outcome(bad, match: str, state: int, action: int, position: int):
    half = (0.5, 0, 0.0, False)
    outcomes = [[[half, half] for _ in range(3)] for _ in range(2)]
    outcomes[state][action][position] = bad
    with pytest.raises(ValueError, match=rf"outcomes\[{state}\]\[{action}\]\[{position}\].*{match}"):
        TabularMDP.from_outcomes(outcomes, [1.0, 0.0])


@given(state=st.integers(0, 1), action=st.integers(0, 2))
def test_rows_that_do_not_sum_to_one(state: int, action: int):
    outcomes = [[[GOOD] for _ in range(3)] for _ in range(2)]
    outcomes[state][action] = [(0.5, 0, 0.0, False)]
    with pytest.raises(ValueError, match=rf"outcomes\[{state}, {action}\] sums to 0.5"):
        TabularMDP.from_outcomes(outcomes, [1.0, 0.0])
    outcomes[state][action] = []
    with pytest.raises(ValueError, match=rf"outcomes\[{state}, {action}\] sums to 0: expected 1"):
        TabularMDP.from_outcomes(outcomes, [1.0, 0.0])


@pytest.mark.parametrize(
    ("outcomes", "match"),
    [
        ([], "outcomes"),
        ([[]], "outcomes"),
        ({}, "outcomes"),
        ([[[GOOD], [GOOD]], [[GOOD]]], r"outcomes\[1\]: expected 2 actions, got 1"),
        ({1: [[GOOD]], 2: [[GOOD]]}, "outcomes"),
        ({0: {"left": [GOOD]}}, "outcomes"),
        (3, "outcomes"),
    ],
)
def test_tables_of_the_wrong_form(outcomes, match: str):
    with pytest.raises(ValueError, match=match):
        TabularMDP.from_outcomes(outcomes, [1.0])


@pytest.mark.parametrize(
    ("given_env", "kwargs", "match"),
    [
        ("NoSuchLake-v1", {}, "NoSuchLake"),
        ("CartPole-v1", {}, "CartPole.*no outcome table"),
        ("FrozenLake-v1", {"map_name": "4x4", "no_such": 1}, "FrozenLake"),
        (object(), {}, "outcome table"),
        (object(), {"map_name": "4x4"}, "make_kwargs"),
    ],
)
def test_environments_that_cannot_be_read(given_env, kwargs: dict, match: str):
    with pytest.raises(ValueError, match=match):
        TabularMDP.from_gymnasium(given_env, **kwargs)
