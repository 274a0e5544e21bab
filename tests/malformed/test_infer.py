"""``infer(…)``: its arguments, and methods that do not fit the model."""

from __future__ import annotations

import math
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ppl_control import (
    SVI,
    FamilyOptimum,
    MessagePassing,
    ParticlePlanning,
    RecedingHorizon,
    SoftActorCritic,
    SoftPolicyGradient,
    SoftQLearning,
    SoftValueIteration,
    guides,
    infer,
)
from ppl_control.policies import CategoricalMLP, GaussianMLP, SquashedGaussianMLP, TabularPolicy
from tests.malformed.entry import COUNTS, LONGEST, Entry, accept, refuse, within
from tests.malformed.models import KINDS, made
from tests.malformed.test_methods import no_method
from tests.malformed.test_trajectory_model import Breaks, Says, no_device
from tests.malformed.values import Spoiled, junk, no_flag, no_object

QUICK = SVI(guides.FixedDynamics(), steps=2, particles=2)


def no_seed(_: Any) -> st.SearchStrategy[Spoiled]:
    far = st.integers(min_value=2**64) | st.integers(max_value=-(2**63) - 1) | st.just(10**5000)
    rest = st.sampled_from([0.0, math.nan, "0", True, [0], torch.zeros(2), 1.5]).map(
        lambda value: ("no integer", value)
    )
    return junk() | rest | far.map(lambda value: ("beyond 64 bits", value))


def no_callbacks(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk().filter(lambda pair: not callable(pair[1])) | st.sampled_from([
        ("numbers", [3]), ("text", "stop"), ("a number", 3), ("one of them None", (print, None)), ("a flag", True),
        ("None", None),
    ])  # fmt: skip


def no_path(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = [("a folder", str(Path(__file__).parent)), ("a null byte", "a\x00b"), ("a number", 3), ("NaN", math.nan)]
    kinds = ("text", "empty text", "Unicode", "bytes")  # some are paths
    return junk(none=False).filter(lambda pair: pair[0] not in kinds) | st.sampled_from([*rest, ("empty text", "")])


def no_title(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk(none=False).filter(lambda pair: not isinstance(pair[1], str)) | st.just(("a number", 3))


@st.composite
def calls(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["table", "endless"]))
    exact = MessagePassing() if kind == "table" else SoftValueIteration()  # that posterior diverges
    return {
        "model": made(kind),
        "method": draw(st.sampled_from([exact, QUICK])),
        "seed": draw(st.sampled_from([0, -1, 2**63, 2**64 - 1, -(2**63), torch.tensor(3)])),
        "progress": False,
    }


INFER = Entry(
    infer,
    calls(),
    {
        "model": no_object(),
        "method": no_method,
        "seed": no_seed,
        "progress": no_flag,
        "device": lambda good: no_device(good).filter(lambda pair: pair[1] is not None),
        "callbacks": no_callbacks,
        "checkpoint": no_path,
        "title": no_title,
    },
)


@COUNTS
def test_refused(examples: int) -> None:
    refuse(INFER, examples)


@COUNTS
def test_unusual(examples: int) -> None:
    accept(Entry(lambda **arguments: infer(**arguments).log_evidence_bound, calls(), {}), examples)


POLICIES = (
    None, TabularPolicy.uniform(5, 2), TabularPolicy.uniform(2, 7), TabularPolicy.uniform(2, 2, horizon=1),
    CategoricalMLP(3, num_states=9), CategoricalMLP(2, num_features=3), GaussianMLP(num_features=7, action_dim=1),
    GaussianMLP(num_features=1, action_dim=4), torch.nn.Linear(3, 3), Breaks(), Says(None), Says(torch.zeros(2)),
    SquashedGaussianMLP(num_features=1, action_dim=1, low=-5.0, high=5.0), GaussianMLP(num_states=2, action_dim=1),
)  # fmt: skip


def broken(states: Any, t: Any) -> Any:
    raise KeyError("value")


LOOKAHEADS = (
    broken, lambda states, t: None, lambda states: 0.0, lambda states, t: torch.zeros(3, 3), lambda states, t: "much",
    lambda states, t: torch.full(states.shape[:1], math.nan), lambda states, t: 1j,
)  # fmt: skip


@st.composite
def unfit(draw: Any) -> tuple[Any, str]:
    """A method and a kind of model: some of these fit, most do not."""
    policy = draw(st.sampled_from(POLICIES))
    plan = draw(st.sampled_from([
        None, "joint", "independent", "gaussian", "flow", policy, lambda *a, **k: None, broken, torch.nn.Linear,
    ]))  # fmt: skip
    recipes = [guides.FixedDynamics(policy), guides.Unconstrained(), guides.MeanField(), guides.MAP()]
    recipe = draw(st.sampled_from(recipes) | st.just(partial(guides.OpenLoop, plan)))
    try:
        guide = recipe() if isinstance(recipe, partial) else recipe
    except ValueError:
        guide = guides.OpenLoop()
    estimator = draw(st.sampled_from([None, "enumerate", "reparameterised", "score", "pyro"]))
    optimizer = draw(st.sampled_from([None, "natural", "adam"]))
    rate = draw(st.sampled_from([None, 3.0]))
    svi = SVI(draw(st.sampled_from([guide, broken, lambda: None])), steps=2, estimator=estimator, optimizer=optimizer,
              learning_rate=rate)  # fmt: skip
    method = draw(st.sampled_from([
        MessagePassing(), SoftValueIteration(), FamilyOptimum(guide), svi, RecedingHorizon(svi),
        RecedingHorizon(MessagePassing(), planning_model=made(draw(st.sampled_from(KINDS)))),
        ParticlePlanning(8, proposal=policy), SoftQLearning(steps=64),
        ParticlePlanning(8, lookahead=draw(st.sampled_from([None, "posterior", "variational", *LOOKAHEADS]))),
        ParticlePlanning(8, weighting="fixed_dynamics", proposal=policy), SoftPolicyGradient(steps=64, policy=policy),
        SoftActorCritic(steps=64, learning_starts=8, policy=policy),
    ]))  # fmt: skip
    return method, draw(st.sampled_from(KINDS))


@COUNTS
def test_methods_that_do_not_fit(examples: int) -> None:
    """Whatever is wrong is a ValueError of one paragraph, before any work."""

    @settings(max_examples=examples)
    @given(unfit())
    def checked(pair: tuple[Any, str]) -> None:
        method, kind = pair
        message = None
        with within(), suppress(ValueError):
            try:
                method.check(made(kind))
            except ValueError as error:
                message = str(error)
                raise
        assert message is None or 10 < len(message) < LONGEST, message

    checked()


@pytest.mark.parametrize("method", [MessagePassing, SoftValueIteration, SVI])
def test_classes_are_no_methods(method: type) -> None:
    with pytest.raises(ValueError, match="method: expected an inference method"):
        infer(made("table"), method)  # type: ignore[arg-type]
