"""``TabularMDP.from_outcomes`` and ``TabularMDP.from_gymnasium``."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from ppl_control import MessagePassing, TabularMDP, TrajectoryModel, infer
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.values import Hostile, Nothing, Spoiled, dressed, junk, no_table


@st.composite
def lists(draw: Any) -> dict[str, Any]:
    """Good outcome lists: tuples or lists, dicts or lists of states, NumPy's numbers, bools as 0 and 1."""
    states, actions = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.sampled_from([float, np.float64, Fraction]))
    flag = draw(st.sampled_from([bool, np.bool_, int]))
    row = draw(st.sampled_from([tuple, list]))

    def ways() -> Any:
        chances = random.dirichlet(np.ones(random.integers(1, 4)))
        ends = [(p, random.integers(states), random.normal(), random.random() < 0.3) for p in chances.tolist()]
        return row(row((number(p), int(s), number(r), flag(d))) for p, s, r, d in ends)

    table: Any = [row(ways() for _ in range(actions)) for _ in range(states)]
    if draw(st.booleans()):
        table = {s: dict(enumerate(rows)) for s, rows in enumerate(table)}
    return {"outcomes": table, "initial": draw(dressed(random.dirichlet(np.ones(states))))}


def plain(outcomes: Any) -> list[list[list[Any]]]:
    """Lists all the way down."""
    rows = [outcomes[s] for s in range(len(outcomes))]
    return [[[tuple(way) for way in row[a]] for a in range(len(row))] for row in rows]


@st.composite
def no_outcomes(draw: Any, good: Any) -> Spoiled:
    table = plain(good)
    s = draw(st.integers(0, len(table) - 1))
    a = draw(st.integers(0, len(table[s]) - 1))
    k = draw(st.integers(0, len(table[s][a]) - 1))
    p, following, reward, done = table[s][a][k]
    what, bad = draw(st.sampled_from([
        ("p negative", (-0.5, following, reward, done)),
        ("p above 1", (1.5, following, reward, done)),
        ("p NaN", (math.nan, following, reward, done)),
        ("p text", ("much", following, reward, done)),
        ("p number as text", ("0.5", following, reward, done)),
        ("p complex", (0.5j, following, reward, done)),
        ("p None", (None, following, reward, done)),
        ("p another", (float(p) / 2 if p > 1e-3 else 0.7, following, reward, done)),
        ("next state negative", (p, -1, reward, done)),
        ("next state too large", (p, len(table), reward, done)),
        ("next state beyond 64 bits", (p, 2**70, reward, done)),
        ("next state half", (p, 0.5, reward, done)),
        ("next state text", (p, "0", reward, done)),
        ("next state NaN", (p, math.nan, reward, done)),
        ("next state infinite", (p, math.inf, reward, done)),
        ("next state None", (p, None, reward, done)),
        ("next state a flag", (p, True, reward, done)),
        ("next state hostile", (p, Hostile(), reward, done)),
        ("next states", (p, [0], reward, done)),
        ("reward NaN", (p, following, math.nan, done)),
        ("reward infinite", (p, following, -math.inf, done)),
        ("reward text", (p, following, "1", done)),
        ("reward beyond float64", (p, following, 10**400, done)),
        ("reward complex", (p, following, 1j, done)),
        ("reward without data", (p, following, torch.zeros((), device="meta"), done)),
        ("done text", (p, following, reward, "no")),
        ("done None", (p, following, reward, None)),
        ("done two", (p, following, reward, 2)),
        ("done NaN", (p, following, reward, math.nan)),
        ("done flags", (p, following, reward, np.array([True, False]))),
        ("too short", (p, following, reward)),
        ("too long", (p, following, reward, done, 0)),
        ("no tuple", 3), ("None", None), ("an object", Nothing()), ("text", "abcd"), ("empty", ()),
    ]))  # fmt: skip
    where = draw(st.sampled_from(["way", "way", "way", "row", "state", "all"]))
    if where == "way":
        table[s][a][k] = bad
        return f"{what} at {s}, {a}, {k}", table
    other = draw(st.sampled_from([None, 3, True, math.nan, "ab", Nothing(), Hostile(), 1.5]))
    if where == "row":
        table[s][a] = other
        return f"actions that are {type(other).__name__} at {s}, {a}", table
    if where == "state":
        table[s] = other
        return f"states that are {type(other).__name__} at {s}", table
    forms = [
        ("empty", []), ("no actions", [[]]), ("numbered from 1", {1: table[0]}), ("named", {"here": table[0]}),
        ("a number", 3), ("a table", np.eye(2)),
    ]  # fmt: skip
    return draw(junk() | st.sampled_from(forms))


def solved(**arguments: Any) -> None:
    mdp = TabularMDP.from_outcomes(**arguments)
    assert bool(mdp.outcomes.probability.isfinite().all() & mdp.outcomes.reward.isfinite().all())
    assert np.isfinite(infer(TrajectoryModel(mdp, horizon=2), MessagePassing()).log_evidence_bound)


LISTS = Entry(TabularMDP.from_outcomes, lists(), {"outcomes": no_outcomes, "initial": no_table(least=0.0, sums=True)})


def no_environment(_: Any) -> Any:
    ids = [
        ("unknown", "NoSuchLake-v1"), ("no table", "CartPole-v1"), ("no version", "FrozenLake"), ("a flag", True),
        ("odd version", "FrozenLake-vx"), ("another version", "FrozenLake-v99"), ("only a colon", ":"),
        ("no module", "no_such_module_at_all:FrozenLake-v1"), ("null bytes", "\x00"), ("long", "x" * 10_000),
    ]  # fmt: skip
    return junk() | st.sampled_from(ids)


def no_map(_: Any) -> Any:
    return st.sampled_from([
        ("unknown", "5x5"), ("a number", 3), ("a list", ["SF"]), ("a flag", True), ("NaN", math.nan),
    ])  # fmt: skip


GYMNASIUM = Entry(
    TabularMDP.from_gymnasium,
    st.fixed_dictionaries({"env_or_id": st.just("FrozenLake-v1"), "map_name": st.sampled_from(["4x4", "8x8"])}),
    {"env_or_id": no_environment, "map_name": no_map},
    {"map_name": "gymnasium cannot make"},
)


@COUNTS
def test_refused(examples: int) -> None:
    refuse(LISTS, examples)


@COUNTS
def test_environments(examples: int) -> None:
    refuse(GYMNASIUM, examples)


@COUNTS
def test_unusual(examples: int) -> None:
    accept(Entry(solved, lists(), {}), examples)
