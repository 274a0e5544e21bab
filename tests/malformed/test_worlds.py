"""``DifferentiableMDP(…)``, ``SimulatorMDP(…)``, ``MDPEnvironment(…)``."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pyro.distributions as dist
import torch
from gymnasium import spaces
from hypothesis import strategies as st

from ppl_control import DifferentiableMDP, SimulatorMDP
from ppl_control.mdp import MDPEnvironment
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.models import worlds
from tests.malformed.test_tabular_mdp import no_dtype
from tests.malformed.values import Spoiled, dressed, junk, no_object, no_table, no_whole, wholes


def moved(state: Any, action: Any) -> Any:
    return dist.Normal(state + action, 0.1).to_event(1)


def paid(state: Any, action: Any) -> Any:
    return -(state**2).sum(-1)


def broken(*_: Any) -> Any:
    raise KeyError("broken")


def no_start(good: Any) -> st.SearchStrategy[Spoiled]:
    rest = [("a batch", dist.Normal(torch.zeros(1), 1.0)), ("no vector", dist.Normal(0.0, 1.0)), ("no entries", []),
            ("a distribution's class", dist.Normal), ("a matrix", [[0.0]])]  # fmt: skip
    return no_table(shape=False)([0.0]) | st.sampled_from(rest)


def no_transition(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk().filter(lambda pair: not callable(pair[1])) | st.sampled_from([
        ("raises", broken), ("None", lambda s, a: None), ("a tensor", lambda s, a: s + a),
        ("no event", lambda s, a: dist.Normal(s, 1.0)),
        ("too many arguments", lambda s, a, b, c: moved(s, a)), ("one argument", lambda s: s),
        ("text", lambda s, a: "next"),
        ("a longer state", lambda s, a: dist.Normal(torch.zeros(3, 4), 1.0).to_event(1)),
        ("one for the batch", lambda s, a: dist.Normal(torch.zeros(1), 1.0).to_event(1)),
        ("NaN", lambda s, a: dist.Normal(s * math.nan, 1.0, validate_args=False).to_event(1)),
        ("negative scale", lambda s, a: dist.Normal(s, -1.0).to_event(1)), ("a class", dist.Normal),
    ])  # fmt: skip


def no_function(*, done: bool = False, optional: bool = True) -> Any:
    wrong: list[Spoiled] = [
        ("raises", broken), ("None", lambda *x: None), ("a number", lambda *x: 0.0), ("a column", lambda s, *x: s),
        ("text", lambda *x: "much"), ("complex", lambda s, *x: s[..., 0] * 1j),
        ("no batch", lambda *x: torch.zeros(())),
        ("NumPy's", lambda s, *x: np.zeros(3)), ("a class", torch.Tensor),
    ]  # fmt: skip
    wrong += [("numbers", lambda s, *x: s[..., 0])] if done else [("NaN", lambda s, *x: s[..., 0] * math.nan),
              ("infinite", lambda s, *x: s[..., 0] - math.inf), ("flags", lambda s, *x: s[..., 0] > 0)]  # fmt: skip
    return lambda _: junk(none=not optional).filter(lambda pair: not callable(pair[1])) | st.sampled_from(wrong)


def no_space(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([
        ("a matrix of actions", spaces.Box(-1.0, 1.0, (1, 1))),
        ("half bounded", spaces.Box(np.float32([-1.0]), np.float32([np.inf]))),
        ("many", spaces.MultiDiscrete([2, 2])), ("from 1", spaces.Discrete(2, start=1)),
        ("no entries", spaces.Box(-1.0, 1.0, (0,))),
        ("a dict", spaces.Dict({"a": spaces.Discrete(2)})), ("a number", 2), ("its class", spaces.Box),
        ("flags", spaces.MultiBinary(2)), ("scalar", spaces.Box(-1.0, 1.0, ())),
    ])  # fmt: skip


@st.composite
def vectors(draw: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "initial": draw(dressed(np.zeros(1)) | st.just(dist.Normal(torch.zeros(1), 1.0).to_event(1))),
        "transition": moved,
        "reward": draw(st.sampled_from([paid, lambda s, a, n: paid(n, a), lambda *x: paid(*x[:2])])),
        "action_space": draw(st.sampled_from([spaces.Box(-1.0, 1.0, (1,)), spaces.Box(-np.inf, np.inf, (1,))])),
    }
    if draw(st.booleans()):
        found |= {"final_reward": lambda s: s[..., 0], "done": lambda s: s[..., 0] > 1}
    return found


VECTORS = Entry(
    DifferentiableMDP,
    vectors(),
    {
        "initial": no_start,
        "transition": no_transition,
        "reward": no_function(optional=False),
        "action_space": no_space,
        "final_reward": no_function(),
        "done": no_function(done=True),
        "dtype": no_dtype,
    },
    {"initial": r"initial|transition", "action_space": "action_space|transition"},
)


class Odd(gymnasium.Env):
    """An environment with whatever spaces it is given."""

    def __init__(self, observation_space: Any = None, action_space: Any = None, seen: Any = None) -> None:
        self.observation_space = spaces.Box(-1.0, 1.0, (2,)) if observation_space is None else observation_space
        self.action_space = spaces.Discrete(2) if action_space is None else action_space
        self.seen = np.zeros(2, np.float32) if seen is None else seen

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self.seen, {}

    def step(self, action: Any) -> Any:
        return self.seen, 0.0, False, False, {}


def no_env(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk().filter(lambda pair: pair[0] not in ("a function", "a class")) | st.sampled_from([
        ("unknown", "NoSuch-v0"), ("another version", "CartPole-v99"), ("a colon", ":"),
        ("no module", "no_such_module:X-v0"), ("a null byte", "\x00"), ("long", "x" * 5000),
        ("a flag", True), ("a number", 3),
        ("a factory that raises", broken), ("a factory of None", lambda: None),
        ("a factory of text", lambda: "CartPole-v1"),
        ("a dict of observations", lambda: Odd(spaces.Dict({"a": spaces.Discrete(2)}))),
        ("text as observations", lambda: Odd(spaces.Text(3))),
        ("a picture", lambda: Odd(spaces.Box(0, 255, (4, 4, 3), np.uint8))),
        ("no space", lambda: Odd(action_space="actions")),
        ("many actions", lambda: Odd(action_space=spaces.MultiDiscrete([2, 2]))),
        ("a table of actions", lambda: Odd(action_space=spaces.Box(-1, 1, (2, 2)))),
    ])  # fmt: skip


SIMULATOR = Entry(
    lambda env: SimulatorMDP(env).probe(),
    st.fixed_dictionaries({"env": st.sampled_from(["CartPole-v1", "FrozenLake-v1", Odd, lambda: Odd()])}),
    {"env": no_env},
    {"env": r"\b(env|observation|action|make)"},
)
ENVIRONMENT = Entry(
    MDPEnvironment,
    st.fixed_dictionaries(
        {"mdp": st.sampled_from([worlds()["table"], worlds()["linear"]])}, optional={"horizon": wholes(1, 9)}
    ),
    {"mdp": no_object(), "horizon": no_whole(1, optional=True)},
)


@COUNTS
def test_functions(examples: int) -> None:
    refuse(VECTORS, examples)


@COUNTS
def test_unusual_functions(examples: int) -> None:
    accept(VECTORS, examples)


@COUNTS
def test_simulators(examples: int) -> None:
    refuse(SIMULATOR, examples)
    accept(SIMULATOR, examples)


@COUNTS
def test_environments(examples: int) -> None:
    refuse(ENVIRONMENT, examples)
    accept(ENVIRONMENT, examples)
