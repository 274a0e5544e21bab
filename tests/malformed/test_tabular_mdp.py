"""``TabularMDP(…)``, ``with_initial``, ``with_reward``, ``with_layout``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ppl_control import MessagePassing, TabularMDP, TrajectoryModel, infer
from ppl_control.mdp import GridLayout
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.values import Spoiled, dressed, junk, no_object, no_table


@st.composite
def tables(draw: Any) -> dict[str, Any]:
    """Arguments of a good MDP, in unusual clothes."""
    states, actions = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    transition = random.dirichlet(np.full(states, 0.5), size=(states, actions))
    transition[transition < 1e-3] = 0.0
    transition /= transition.sum(-1, keepdims=True)
    initial = np.eye(states)[0] if draw(st.booleans()) else random.dirichlet(np.ones(states))
    reward = random.normal(size=(states, actions, states)[: draw(st.integers(2, 3))])
    tiny = draw(st.sampled_from([None, -0.0, 5e-324, 1e-310, -5e-324, 1e6]))
    if tiny is not None:
        reward.flat[0] = tiny
    found: dict[str, Any] = {
        "initial": draw(dressed(initial)),
        "transition": draw(dressed(transition, sparse=True)),
        "reward": draw(dressed(reward, sparse=True)),
    }
    if draw(st.booleans()):
        done = random.random(states) < 0.3
        found["done"] = draw(st.sampled_from([done, done.tolist(), tuple(done), torch.as_tensor(done)]))
    if draw(st.booleans()):
        found["state_names"] = draw(st.lists(st.text(), min_size=states, max_size=states, unique=True))
    if draw(st.booleans()):
        found["dtype"] = draw(st.sampled_from([torch.float32, torch.float64]))
    return found


def made(**arguments: Any) -> TabularMDP:
    mdp = TabularMDP(**arguments)
    for table in (mdp.initial, mdp.outcomes.probability, mdp.outcomes.reward):
        assert bool(table.isfinite().all())
    assert not mdp.initial.requires_grad
    assert not mdp.outcomes.reward.requires_grad
    return mdp


def solved(**arguments: Any) -> None:
    model = TrajectoryModel(made(**arguments), horizon=2)
    bound = infer(model, MessagePassing()).log_evidence_bound
    assert np.isfinite(bound)


def no_names(good: Any) -> SearchStrategy[Spoiled]:
    count = len(good) if good is not None else 1
    return st.sampled_from([
        ("too many", [f"n{i}" for i in range(count + 7)]),
        ("none", []),
        ("a number", 3),
        ("a flag", True),
        ("text", "s" * 9),
        ("the same name", ["same"] * max(count, 2)),
        ("lists as names", [[str(i)] for i in range(count)]),
        ("numbers as names", list(range(count))),
    ])  # fmt: skip


def no_flags(_: Any) -> SearchStrategy[Spoiled]:
    return junk(none=False) | st.sampled_from([
        ("numbers", [0] * 2), ("floats", np.zeros(2)), ("too many", [True] * 9), ("one flag", True),
        ("tensor of numbers", torch.zeros(2)), ("nested", [[True]]),
    ])  # fmt: skip


def no_dtype(_: Any) -> SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([
        ("integers", torch.int64), ("complex", torch.complex64), ("NumPy's", np.float64), ("Python's", float),
        ("text", "float32"), ("flags", torch.bool),
    ])  # fmt: skip


MADE = Entry(
    made,
    tables(),
    {
        "initial": no_table(least=0.0, sums=True),
        "transition": no_table(least=0.0, sums=True),
        "reward": no_table(),
        "done": no_flags,
        "state_names": no_names,
        "action_names": no_names,
        "dtype": no_dtype,
        "layout": no_object(optional=True),
    },
)
COIN = TabularMDP([0.5, 0.5], [[[0.5, 0.5], [1.0, 0.0]]] * 2, [[0.0, 1.0], [2.0, 0.0]])
INITIAL = Entry(
    COIN.with_initial, st.just({"initial": [0.5, 0.5]}), {"initial": no_table(least=0.0, sums=True, square=True)}
)
REWARD = Entry(COIN.with_reward, st.just({"reward": [[0.5, 0.5]] * 2}), {"reward": no_table()})
LAYOUT = Entry(COIN.with_layout, st.just({"layout": GridLayout(("SG",))}), {"layout": no_object()})


@COUNTS
def test_refused(examples: int) -> None:
    refuse(MADE, examples)


@COUNTS
def test_other_starts(examples: int) -> None:
    refuse(INITIAL, examples)


@COUNTS
def test_other_rewards(examples: int) -> None:
    refuse(REWARD, examples)


def test_layouts() -> None:
    refuse(LAYOUT, 40)


@COUNTS
def test_unusual(examples: int) -> None:
    accept(Entry(solved, tables(), {}), examples)
