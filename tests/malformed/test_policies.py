"""Policies: their constructors, and calls in states and at times that they do not have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from ppl_control.policies import (
    BoltzmannMLP,
    CategoricalMLP,
    Deterministic,
    FlowPolicy,
    GaussianMLP,
    LinearGaussianPolicy,
    MixtureMLP,
    SquashedGaussianMLP,
    TabularPolicy,
)
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.test_infer import no_seed
from tests.malformed.test_tabular_mdp import no_dtype
from tests.malformed.values import (
    Spoiled,
    dressed,
    junk,
    no_choice,
    no_number,
    no_table,
    no_whole,
    no_widths,
    numbers,
    wholes,
    widths,
)

small = wholes(1, 9)
SIZES = "num_features|num_states|features"
NETWORK = {"hidden": no_widths(), "seed": no_seed, "dtype": no_dtype, "horizon": no_whole(1, optional=True)}
dtypes = st.sampled_from([torch.float32, torch.float64])


def no_bounds(good: Any) -> st.SearchStrategy[Spoiled]:
    rest = [("NaN", math.nan), ("infinite", math.inf), ("too many", [0.0] * 9), ("a table", [[0.0]]), ("text", "low"),
            ("one None", [None, 0.0]), ("NaN inside", [math.nan, 0.0]), ("complex", [1j, 0.0])]  # fmt: skip
    return junk() | st.sampled_from(rest)


@st.composite
def logits(draw: Any) -> dict[str, Any]:
    shape = draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    table = random.normal(size=shape)
    if shape[-1] > 1 and draw(st.booleans()):
        table[..., 0] = -math.inf
    return {"logits": draw(dressed(table))}


def no_logits(good: Any) -> st.SearchStrategy[Spoiled]:
    rest = [("one row", [0.0, 1.0]), ("four axes", np.zeros((1, 1, 1, 1))), ("no actions", np.zeros((2, 0))),
            ("no states", np.zeros((0, 2))), ("NaN", [[math.nan, 0.0]]), ("+infinity", [[math.inf, 0.0]]),
            ("nothing allowed", [[-math.inf, -math.inf]]), ("text", [["a"]]), ("complex", torch.zeros(2, 2) * 1j),
            ("no data", torch.zeros(2, 2, device="meta")), ("None inside", [[None, 0.0]]),
            ("ragged", [[0.0], [0.0, 1.0]])]  # fmt: skip
    return junk() | st.sampled_from(rest)


def of_vectors(kind: Any, **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    options = {
        "hidden": widths(),
        "dtype": dtypes,
        "horizon": small,
        "seed": st.sampled_from([0, np.int64(3), 2**64 - 2]),
    }
    return st.fixed_dictionaries({"num_features": wholes(0, 5), "action_dim": wholes(1, 3)}, optional=options | more)


bounds = {"low": st.just(-1.0), "high": st.sampled_from([1.0, 2, np.float32(3)])}


@st.composite
def gains(draw: Any) -> dict[str, Any]:
    times = draw(st.sampled_from([(), (2,)]))
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = {"gain": draw(dressed(random.normal(size=(*times, m, n)))), "covariance": draw(dressed(2.0 * np.eye(m)))}
    return found | ({"offset": draw(dressed(random.normal(size=(*times, m))))} if draw(st.booleans()) else {})


def no_covariance(good: Any) -> st.SearchStrategy[Spoiled]:
    size = np.shape(good if not isinstance(good, torch.Tensor) else good.detach().numpy())[-1]
    wrong = [("negative", -np.eye(size)), ("singular", np.zeros((size, size))), ("a row", np.ones(size + 7))]
    return no_table()(good) | st.sampled_from(wrong)


POLICIES: dict[str, Entry] = {
    "TabularPolicy": Entry(TabularPolicy, logits(), {"logits": no_logits}),
    "uniform": Entry(
        TabularPolicy.uniform,
        st.fixed_dictionaries(
            {"num_states": small, "num_actions": small}, optional={"horizon": small, "dtype": dtypes}
        ),
        {
            "num_states": no_whole(1),
            "num_actions": no_whole(1),
            "horizon": no_whole(1, optional=True),
            "dtype": no_dtype,
        },
    ),
    "CategoricalMLP": Entry(
        CategoricalMLP,
        st.fixed_dictionaries(
            {"num_actions": small, "num_features": wholes(0, 4)},
            optional={"hidden": widths(), "horizon": small, "dtype": dtypes},
        ),
        {
            **NETWORK,
            "num_actions": no_whole(1),
            "num_features": no_whole(0),
            "num_states": no_whole(1, optional=True),
            "features": no_table(optional=True),
            "activation": no_choice("tanh", "relu"),
        },
        {"num_states": SIZES, "features": SIZES},
    ),
    "features": Entry(
        lambda features: CategoricalMLP(2, features=features),
        st.fixed_dictionaries({"features": dressed(np.arange(6.0).reshape(3, 2))}),
        {"features": no_table(shape=False)},
        {"features": SIZES},
    ),
    "BoltzmannMLP": Entry(
        BoltzmannMLP,
        st.fixed_dictionaries(
            {"num_actions": small, "num_states": small, "temperature": numbers(0.125, 8.0)},
            optional={"hidden": widths(), "horizon": small, "dtype": dtypes},
        ),
        {
            **NETWORK,
            "num_actions": no_whole(1),
            "temperature": no_number(0.0),
            "num_states": no_whole(1),
            "activation": no_choice("tanh", "relu"),
            "prior": lambda _: junk(none=False) | st.just(("its class", TabularPolicy)),
        },
        {"num_states": SIZES},
    ),
    "GaussianMLP": Entry(
        GaussianMLP,
        of_vectors(GaussianMLP),
        {
            **NETWORK,
            "num_features": no_whole(0),
            "action_dim": no_whole(1),
            "activation": no_choice("tanh", "relu"),
            "num_states": no_whole(1, optional=True),
        },
        {"num_states": SIZES, "num_features": SIZES},
    ),
    "SquashedGaussianMLP": Entry(
        SquashedGaussianMLP,
        of_vectors(SquashedGaussianMLP).map(lambda settings: {**settings, "low": -1.0, "high": 1}),
        {**NETWORK, "num_features": no_whole(0), "action_dim": no_whole(1), "low": no_bounds, "high": no_bounds},
        {"num_features": SIZES, "low": r"\b(low|high)\b", "high": r"\b(low|high)\b"},
    ),
    "MixtureMLP": Entry(
        MixtureMLP,
        of_vectors(MixtureMLP, num_components=small).map(lambda settings: {**settings, "low": -1.0, "high": [1]}),
        {
            **NETWORK,
            "num_features": no_whole(0),
            "action_dim": no_whole(1),
            "num_components": no_whole(1),
            "low": no_bounds,
            "high": no_bounds,
        },
        {"num_features": SIZES, "low": r"\b(low|high)\b", "high": r"\b(low|high)\b"},
    ),
    "FlowPolicy": Entry(
        FlowPolicy,
        of_vectors(FlowPolicy, transforms=wholes(1, 2), bins=wholes(2, 4)),
        {
            **NETWORK,
            "num_features": no_whole(0),
            "action_dim": no_whole(1),
            "transforms": no_whole(1),
            "bins": no_whole(1),
        },
        {"num_features": SIZES},
    ),
    "LinearGaussianPolicy": Entry(
        LinearGaussianPolicy,
        gains(),
        {"gain": no_table(shape=False), "covariance": no_covariance, "offset": no_table(optional=True, square=True)},
    ),
    "standard": Entry(
        LinearGaussianPolicy.standard,
        st.fixed_dictionaries({"state_dim": small, "action_dim": small}, optional={"horizon": small, "dtype": dtypes}),
        {"state_dim": no_whole(1), "action_dim": no_whole(1), "horizon": no_whole(1, optional=True), "dtype": no_dtype},
    ),
    "Deterministic": Entry(
        Deterministic,
        st.just({"policy": TabularPolicy.uniform(2, 2)}),
        {"policy": lambda _: junk() | st.just(("its class", TabularPolicy))},
    ),
}

TIMED = {
    "table": TabularPolicy.uniform(3, 2, horizon=4),
    "network": CategoricalMLP(2, num_states=3, horizon=4),
    "rows": CategoricalMLP(2, features=torch.eye(3), horizon=4),
    "Boltzmann": BoltzmannMLP(2, temperature=1.0, num_states=3, horizon=4),
    "deterministic": Deterministic(TabularPolicy.uniform(3, 2, horizon=4)),
    "Gaussian": GaussianMLP(num_features=3, action_dim=1, horizon=4),
    "mixture": MixtureMLP(num_features=3, action_dim=1, horizon=4),
    "flow": FlowPolicy(num_features=3, action_dim=1, horizon=4, transforms=1, bins=2, hidden=()),
    "linear": LinearGaussianPolicy.standard(3, 1, horizon=4),
}
INDICES = ("table", "network", "rows", "Boltzmann", "deterministic")


def called(policy: str, state: Any, t: Any) -> None:
    distribution = TIMED[policy](state, t)
    assert bool(distribution.sample().isfinite().all())


@st.composite
def calls(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(TIMED)))
    index = st.sampled_from(
        [2, np.int64(1), torch.tensor([0, 2]), [0, 1], np.array([2, 0]), torch.tensor([1, 1], dtype=torch.int32)]
    )
    vector = st.sampled_from([
        torch.zeros(3), torch.zeros(2, 3), [0.0, 1.0, 2.0], np.zeros((2, 3)), np.zeros((2, 6), np.float32)[:, ::2],
    ])  # fmt: skip
    return {
        "policy": kind,
        "state": draw(index if kind in INDICES else vector),
        "t": draw(st.sampled_from([0, 3, np.int64(2), torch.tensor(1)])),
    }


def no_state(good: Any) -> st.SearchStrategy[Spoiled]:
    indices = np.ndim(good) == 0 or np.shape(good)[-1:] != (3,)
    wrong: list[Spoiled] = [
        ("None", None),
        ("text", "here"),
        ("ragged", [[0, 1], [2]]),
        ("complex", torch.zeros(3) * 1j),
    ]
    wrong += [("an object", object()), ("a date", np.datetime64("2020-01-01")), ("a dict", {"s": 0})]
    if indices:
        wrong += [("negative", -1), ("too large", 3), ("far too large", torch.tensor([0, 3000])), ("half", 0.5),
                  ("NaN", torch.tensor([math.nan])), ("infinite", math.inf), ("one-hot", torch.eye(3)[0] * 0.5),
                  ("beyond 64 bits", 2**70), ("negative ones", np.array([0, -3]))]  # fmt: skip
    else:
        wrong += [("longer", torch.zeros(4)), ("shorter", [0.0]), ("a number", 0.0), ("NaN", [0.0, math.nan, 0.0]),
                  ("infinite", np.array([0.0, 0.0, math.inf]))]  # fmt: skip
    return st.sampled_from(wrong)


def no_time(_: Any) -> st.SearchStrategy[Spoiled]:
    return st.sampled_from([
        ("missing", None), ("negative", -1), ("too late", 5), ("far too late", torch.tensor(400)), ("half", 0.5),
        ("NaN", math.nan), ("text", "now"), ("beyond 64 bits", 2**70), ("an object", object()), ("a dict", {}),
        ("complex", 1j), ("a date", np.datetime64("2020-01-01")),
    ])  # fmt: skip


CALLED = Entry(called, calls(), {"state": no_state, "t": no_time}, {"t": r"\bt:"})


@pytest.mark.parametrize("name", POLICIES)
@COUNTS
def test_refused(name: str, examples: int) -> None:
    refuse(POLICIES[name], examples)


@pytest.mark.parametrize("name", POLICIES)
def test_unusual(name: str) -> None:
    accept(POLICIES[name], 20)


@COUNTS
def test_calls(examples: int) -> None:
    refuse(CALLED, examples)


@COUNTS
def test_unusual_calls(examples: int) -> None:
    accept(CALLED, examples)
