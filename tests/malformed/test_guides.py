"""Recipes of guides: their constructors, and bound to models that they do not fit; plans' own constructors."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ppl_control import guides
from ppl_control.guides.plans import FlowPlan, GaussianPlan, IndependentPlan, JointPlan
from tests.malformed.entry import COUNTS, LONGEST, Entry, accept, refuse, within
from tests.malformed.models import KINDS, made
from tests.malformed.test_infer import POLICIES, broken, no_seed
from tests.malformed.test_policies import no_bounds
from tests.malformed.test_tabular_mdp import no_dtype
from tests.malformed.values import Spoiled, dressed, junk, no_flag, no_whole, no_widths, wholes, widths

small = wholes(1, 4)
BOUNDS = {"low": r"\b(low|high)\b", "high": r"\b(low|high)\b"}


def no_policy(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk(none=False) | st.sampled_from(
        [("its class", torch.nn.Linear), ("a number", 3), ("a recipe", guides.MAP())]
    )


def no_function(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk().filter(lambda pair: not callable(pair[1])) | st.sampled_from([("a class", dict), ("a number", 3)])


def no_plan(_: Any) -> st.SearchStrategy[Spoiled]:
    unfit = junk(none=False).filter(lambda pair: not callable(pair[1]) and not isinstance(pair[1], str))
    return unfit | st.sampled_from(
        [("a number", 3), ("another name", "best"), ("capitals", "Flow"), ("a recipe", guides.MAP())]
    )


def no_logits(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = [("one row", np.zeros(3)), ("three axes", np.zeros((1, 1, 1))), ("no actions", np.zeros((2, 0))),
            ("NaN", [[np.nan, 0.0]]), ("+infinity", [[np.inf, 0.0]]), ("text", [["a"]]), ("ragged", [[0.0],
        [0.0, 1.0]]),
            ("complex", torch.zeros(2, 2) * 1j), ("no data", torch.zeros(2, 2, device="meta"))]  # fmt: skip
    return junk() | st.sampled_from(rest)


MADE: dict[str, Entry] = {
    "FixedDynamics": Entry(guides.FixedDynamics, st.sampled_from([{}, {"policy": POLICIES[1]}]), {"policy": no_policy}),
    "Custom": Entry(guides.Custom, st.just({"function": len}), {"function": no_function}),
    "OpenLoop": Entry(guides.OpenLoop, st.sampled_from([{}, {"plan": "flow"}]), {"plan": no_plan}),
    "IndependentPlan": Entry(
        IndependentPlan, st.fixed_dictionaries({"logits": dressed(np.zeros((2, 3)))}), {"logits": no_logits}
    ),
    "JointPlan": Entry(
        JointPlan,
        st.fixed_dictionaries({"num_actions": small, "horizon": small}),
        {"num_actions": no_whole(1), "horizon": no_whole(1), "dtype": no_dtype},
        {"num_actions": "num_actions|plan", "horizon": "horizon|plan"},
    ),
    "GaussianPlan": Entry(
        GaussianPlan,
        st.fixed_dictionaries({"horizon": small, "action_dim": small, "low": st.just(-1.0), "high": st.just(1)}),
        {
            "horizon": no_whole(1),
            "action_dim": no_whole(1),
            "low": no_bounds,
            "high": no_bounds,
            "correlated": no_flag,
            "seed": no_seed,
            "dtype": no_dtype,
        },
        BOUNDS,
    ),
    "FlowPlan": Entry(
        FlowPlan,
        st.fixed_dictionaries({"horizon": small, "action_dim": small}, optional={"hidden": widths()}),
        {
            "horizon": no_whole(1),
            "action_dim": no_whole(1),
            "transforms": no_whole(1),
            "bins": no_whole(1),
            "hidden": no_widths(),
            "seed": no_seed,
            "dtype": no_dtype,
        },
    ),
}


@pytest.mark.parametrize("name", MADE)
@COUNTS
def test_refused(name: str, examples: int) -> None:
    refuse(MADE[name], examples)


@pytest.mark.parametrize("name", MADE)
def test_unusual(name: str) -> None:
    accept(MADE[name], 20)


@st.composite
def bindings(draw: Any) -> tuple[Any, str]:
    policy = draw(st.sampled_from(POLICIES))
    plan = draw(st.sampled_from(["joint", "independent", "gaussian", "flow", broken, lambda *a: None, policy, None]))
    recipes = [guides.FixedDynamics(policy), guides.Unconstrained(), guides.MeanField(), guides.MAP(),
        guides.Custom(broken),
               guides.Custom(lambda: None), guides.OpenLoop(plan)]  # fmt: skip
    return draw(st.sampled_from(recipes)), draw(st.sampled_from(KINDS))


@COUNTS
def test_models_that_they_do_not_fit(examples: int) -> None:
    """Some of these fit, most do not: a ValueError of one paragraph, nothing else."""

    @settings(max_examples=examples)
    @given(bindings())
    def built(pair: tuple[Any, str]) -> None:
        recipe, kind = pair
        said = "a message"
        with within(), suppress(ValueError):
            try:
                recipe.build(made(kind))
            except ValueError as error:
                said = str(error)
                raise
        assert 5 < len(said) < LONGEST

    built()
