"""Constructors of the inference methods: one setting is wrong at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
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
)
from ppl_control.inverse import BayesianIRL, BehaviourCloning, MaxEntIRL, MLPReward, SampledMaxEntIRL, TabularReward
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.models import made
from tests.malformed.values import (
    Spoiled,
    junk,
    no_choice,
    no_flag,
    no_number,
    no_object,
    no_table,
    no_whole,
    no_widths,
    numbers,
    wholes,
    widths,
)

positive = no_number(0.0)
maybe_positive = no_number(0.0, optional=True)
share = no_number(0.0, 1.0, closed="high")


def no_guide(_: Any) -> st.SearchStrategy[Spoiled]:
    """A function is a guide of one's own, so that it is no error before it is bound to a model."""
    rest = [("a recipe's class", guides.MAP), ("a policy's name", "fixed_dynamics"), ("a number", 3), ("a flag", True)]
    return junk().filter(lambda pair: not callable(pair[1])) | st.sampled_from(rest)


def no_method(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = [("a method's class", SVI), ("a guide", guides.MAP()), ("a model", made("table")), ("a name", "svi")]
    return junk() | st.sampled_from(rest)


def no_policy(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk(none=False) | st.sampled_from(
        [("a policy's class", torch.nn.Linear), ("a number", 3), ("a flag", False)]
    )


def no_model(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk(none=False) | st.sampled_from([("a world", made("table").mdp), ("its class", type(made("table")))])


def no_reward(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([("its class", TabularReward), ("a module without parameters", torch.nn.ReLU())])


def no_prior(_: Any) -> st.SearchStrategy[Spoiled]:
    normal = torch.distributions.Normal(0.0, 1.0)
    rest = st.sampled_from([
        ("a distribution's class", torch.distributions.Normal), ("no such parameter", {"heat": normal}),
        ("not for all parameters", {}), ("no distributions", {"table": 3.0}), ("a batch", {"table": [normal]}),
        ("a policy", torch.nn.Linear(2, 2)), ("whole numbers", torch.distributions.Poisson(1.0)),
        ("another size", torch.distributions.Normal(torch.zeros(7), 1.0)), ("a number", 1.0),
    ])  # fmt: skip
    return junk() | rest


def no_lookahead(_: Any) -> st.SearchStrategy[Spoiled]:
    rest = st.sampled_from(
        [("another name", "exact"), ("capitals", "Posterior"), ("a class", torch.nn.Linear), ("a number", 3)]
    )
    return junk(none=False).filter(lambda pair: not callable(pair[1])) | rest


def some(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these settings; the others stay what they are."""
    return st.fixed_dictionaries({}, optional=strategies)


def with_reward(reward: Any, **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"reward": st.just(reward)}, optional=strategies)


small, rates = wholes(2, 100), numbers(2.0**-20, 1.0)
TABLE, NETWORK = TabularReward(2, 2), MLPReward(state_dim=4, num_actions=2)

METHODS: dict[str, Entry] = {
    "SVI": Entry(
        SVI,
        some(
            guide=st.sampled_from([guides.MAP(), guides.Unconstrained(), len]),
            steps=small,
            learning_rate=rates,
            particles=small,
            estimator=st.sampled_from([None, "score", "pyro"]),
            final_temperature=rates,
        ),
        {
            "guide": no_guide,
            "steps": no_whole(1),
            "learning_rate": maybe_positive,
            "particles": no_whole(1),
            "estimator": no_choice(None, "enumerate", "reparameterised", "score", "pyro"),
            "optimizer": no_choice(None, "natural", "adam"),
            "final_temperature": maybe_positive,
        },
    ),
    "MessagePassing": Entry(MessagePassing, some(scan=st.booleans()), {"scan": lambda _: junk(none=False)}),
    "SoftValueIteration": Entry(
        SoftValueIteration,
        some(tolerance=rates),
        {
            "tolerance": no_number(0.0, optional=True),
            "start": lambda _: no_table(shape=False, optional=True)([0.0, -1.0]),
        },
    ),
    "FamilyOptimum": Entry(FamilyOptimum, st.just({"guide": guides.MAP()}), {"guide": no_object()}),
    "ParticlePlanning": Entry(
        ParticlePlanning,
        some(
            particles=st.sampled_from([8, 64]),
            weighting=st.just("fixed_dynamics"),
            resample_threshold=rates,
            groups=st.sampled_from([2, 4]),
            candidates=small,
            outcomes=small,
        ),
        {
            "particles": no_whole(2),
            "weighting": no_choice("posterior", "fixed_dynamics"),
            "lookahead": no_lookahead,
            "proposal": no_policy,
            "resample_threshold": share,
            "groups": no_whole(1, optional=True),
            "candidates": no_whole(2),
            "outcomes": no_whole(1),
        },
    ),
    "RecedingHorizon": Entry(
        RecedingHorizon,
        st.fixed_dictionaries({"method": st.just(SVI())}, optional={"episodes": small}),
        {"method": no_method, "planning_model": no_model, "episodes": no_whole(2)},
    ),
    "SoftQLearning": Entry(
        SoftQLearning,
        some(
            steps=small,
            hidden=widths(),
            environments=small,
            batch_size=small,
            exploration=rates,
            learning_rate=rates,
            buffer_size=small,
            learning_starts=small,
            train_every=small,
            updates_per_step=rates,
            target_rate=rates,
            loss=st.just("squared"),
            episodes=small,
        ),
        {
            "steps": no_whole(1, optional=True),
            "hidden": no_widths(optional=True),
            "environments": no_whole(1),
            "batch_size": no_whole(1, optional=True),
            "exploration": no_number(0.0, 1.0, closed="low, high", optional=True),
            "learning_rate": positive,
            "buffer_size": no_whole(1),
            "learning_starts": no_whole(0),
            "train_every": no_whole(1),
            "updates_per_step": positive,
            "target_rate": share,
            "loss": no_choice("huber", "squared"),
            "episodes": no_whole(2),
        },
    ),
    "SoftPolicyGradient": Entry(
        SoftPolicyGradient,
        some(
            steps=wholes(16, 100),
            learning_rate=rates,
            environments=wholes(4, 16),
            rollout_length=small,
            epochs=small,
            minibatches=wholes(1, 4),
            clip=rates,
            gae_lambda=rates,
            max_gradient_norm=rates,
            hidden=widths(),
            episodes=small,
        ),
        {
            "steps": no_whole(1),
            "learning_rate": maybe_positive,
            "environments": no_whole(1),
            "rollout_length": no_whole(1),
            "epochs": no_whole(1),
            "minibatches": no_whole(1),
            "clip": no_number(0.0, infinite=True),
            "gae_lambda": no_number(0.0, 1.0, closed="low, high"),
            "max_gradient_norm": no_number(0.0, infinite=True),
            "hidden": no_widths(),
            "policy": no_policy,
            "episodes": no_whole(2),
        },
    ),
    "SoftActorCritic": Entry(
        SoftActorCritic,
        some(
            hidden=widths(),
            batch_size=small,
            learning_starts=small,
            learning_rate=rates,
            temperature=st.just("learned"),
            target_entropy=rates,
            target_rate=rates,
            updates_per_step=small,
            environments=small,
            compile=st.booleans(),
            threads=small,
            episodes=small,
        ),
        {
            "steps": no_whole(1),
            "policy": no_policy,
            "hidden": no_widths(),
            "batch_size": no_whole(1),
            "buffer_size": no_whole(1),
            "learning_starts": no_whole(1),
            "learning_rate": positive,
            "temperature": no_choice("learned", "model"),
            "target_entropy": no_number(optional=True),
            "target_rate": share,
            "updates_per_step": no_whole(1),
            "environments": no_whole(1),
            "compile": lambda _: junk(none=False),
            "threads": no_whole(1),
            "episodes": no_whole(2),
        },
    ),
    "MaxEntIRL": Entry(
        MaxEntIRL,
        with_reward(TABLE, objective=st.just("dual"), l2=rates, tolerance=rates, steps=small),
        {
            "reward": no_reward,
            "objective": no_choice("conditional", "dual", "trajectory"),
            "l2": no_number(0.0, closed="low"),
            "tolerance": maybe_positive,
            "steps": no_whole(1),
        },
    ),
    "SampledMaxEntIRL": Entry(
        SampledMaxEntIRL,
        with_reward(
            NETWORK,
            rounds=small,
            episodes=small,
            tries=small,
            memory=small,
            largest_ratio=rates,
            reward_updates=small,
            learning_rate=rates,
            largest_move=rates,
            penalty=rates,
            l2=rates,
            settling=numbers(0.0, 0.5),
            batch_size=small,
            patience=small,
            tolerance=rates,
            closeness=rates,
        ),
        {
            "reward": no_reward,
            "agent": lambda _: junk(none=False) | st.sampled_from([("its class", SVI), ("exact", MessagePassing())]),
            "form": no_choice("importance", "adversarial"),
            "rounds": no_whole(1),
            "episodes": no_whole(2),
            "tries": no_whole(1),
            "memory": no_whole(1),
            "largest_ratio": no_number(0.0, infinite=True),
            "reward_updates": no_whole(1, optional=True),
            "learning_rate": maybe_positive,
            "largest_move": no_number(0.0, infinite=True),
            "penalty": no_number(0.0, closed="low"),
            "l2": no_number(0.0, closed="low"),
            "shaping": no_policy,
            "settling": no_number(0.0, 1.0, closed="low"),
            "batch_size": no_whole(1),
            "patience": no_whole(1),
            "tolerance": no_number(0.0, closed="low"),
            "closeness": no_number(0.0, closed="low"),
        },
    ),
    "BayesianIRL": Entry(
        BayesianIRL,
        with_reward(
            TABLE,
            prior=st.just(torch.distributions.Normal(0.0, 1.0)),
            method=st.just("svi"),
            samples=wholes(4, 100),
            warmup=small,
            chains=small,
            steps=small,
            learning_rate=rates,
        ).filter(lambda settings: "prior" in settings),
        {
            "reward": no_reward,
            "prior": no_prior,
            "method": no_choice("nuts", "svi"),
            "likelihood": no_choice("conditional", "trajectory"),
            "samples": no_whole(4),
            "warmup": no_whole(1),
            "chains": no_whole(1),
            "steps": no_whole(1),
            "learning_rate": positive,
        },
    ),
    "BehaviourCloning": Entry(
        BehaviourCloning,
        some(
            pseudo_count=rates,
            timed=st.booleans(),
            hidden=widths(),
            steps=small,
            batch_size=small,
            learning_rate=rates,
            weight_decay=rates,
            held_out=numbers(0.0, 0.5),
            patience=small,
            warm_up=numbers(0.0, 0.5),
            resolution=numbers(0.0, 0.125),
            episodes=small,
        ),
        {
            "policy": no_policy,
            "pseudo_count": no_number(0.0, closed="low"),
            "timed": no_flag,
            "hidden": no_widths(),
            "steps": no_whole(1),
            "batch_size": no_whole(1),
            "learning_rate": positive,
            "weight_decay": no_number(0.0, closed="low"),
            "held_out": no_number(0.0, 1.0, closed="low"),
            "patience": no_whole(1),
            "warm_up": no_number(0.0, 1.0, closed="low"),
            "resolution": no_number(0.0, 0.25, closed="low"),
            "episodes": no_whole(2),
        },
    ),
}


@pytest.mark.parametrize("name", METHODS)
@COUNTS
def test_refused(name: str, examples: int) -> None:
    refuse(METHODS[name], examples)


@pytest.mark.parametrize("name", METHODS)
@COUNTS
def test_unusual(name: str, examples: int) -> None:
    """Numbers are kept as Python's, so that equal settings look alike, to a checkpoint also."""

    def call(**settings: Any) -> None:
        method = METHODS[name].call(**settings)
        for field in fields(method):
            value = getattr(method, field.name)
            assert value is None or type(value).__module__ not in ("numpy", "torch", "fractions"), field.name

    accept(Entry(call, METHODS[name].valid, {}), examples)


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_is_tried(name: str) -> None:
    made: Callable[..., Any] = METHODS[name].call
    assert set(METHODS[name].bad) == {field.name for field in fields(made)}  # type: ignore[arg-type]
