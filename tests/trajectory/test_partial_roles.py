"""Roles given for some sites leave rewards and factors what they are by default."""

import math

import pyro
import pytest
import torch
from pyro.distributions import Bernoulli, Categorical

from ppl_control import SVI, TrajectoryModel, infer

EVEN = Categorical(logits=torch.zeros(2, dtype=torch.float64))
HALF = Bernoulli(torch.tensor(0.5, dtype=torch.float64))


def bound(program, **settings) -> float:
    model = TrajectoryModel.from_program(program, horizon=1, **settings)
    return infer(model, SVI(steps=300), progress=False).log_evidence_bound


def test_rewards_count_under_other_names():
    def program():
        action = pyro.sample("u_0", EVEN)
        pyro.deterministic("r_0", 2.0 * action)

    assert bound(program, roles={"u_*": "action"}) == pytest.approx(math.log((1 + math.e**2) / 2), abs=0.02)


def test_a_factor_of_one_s_own_stands_for_its_own_step_only():
    def program():
        pyro.deterministic("r_1", 1.0 * pyro.sample("a_0", EVEN))
        pyro.factor("O_7", torch.tensor(0.5, dtype=torch.float64))

    assert bound(program) == pytest.approx(0.5 + math.log((1 + math.e) / 2), abs=0.02)


def test_a_drawn_site_is_no_factor():
    def program():
        pyro.sample("O_0", EVEN)
        pyro.sample("a_0", EVEN)

    with pytest.raises(ValueError, match="'O_0' is drawn"):
        TrajectoryModel.from_program(program, horizon=1)


def test_a_drawn_site_with_a_role_of_its_own_leaves_the_reward_alone():
    def program():
        pyro.sample("O_0", EVEN)
        pyro.deterministic("r_0", 1.0 * pyro.sample("a_0", EVEN))

    named = {"a_*": "action", "O_*": "latent"}
    assert bound(program, roles=named) == pytest.approx(math.log((1 + math.e) / 2), abs=0.02)


def test_bernoulli_actions():
    def program():
        pyro.deterministic("r_0", 3.0 * pyro.sample("a_0", HALF))

    assert bound(program) == pytest.approx(math.log((1 + math.e**3) / 2), abs=0.02)


def test_programs_that_differ_in_numbers_only_are_told_apart():
    def program(chance: float):
        def run():
            pyro.sample("s_0", Bernoulli(torch.tensor(chance)))
            pyro.deterministic("r_0", 1.0 * pyro.sample("a_0", EVEN))

        return TrajectoryModel.from_program(run, horizon=1).fingerprint

    assert program(0.01) != program(0.5)
    assert program(0.5) == program(0.5)
