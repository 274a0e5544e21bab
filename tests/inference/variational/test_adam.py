"""SVI with Adam on the exact bound: the settings known to get there, and the known stall."""

import pytest
import torch

from ppl_control import SVI, MessagePassing, SoftValueIteration, infer
from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.models import frozen_lake, hiking, lottery
from ppl_control.policies import CategoricalMLP


def gap(model, method) -> float:
    best = infer(model, SoftValueIteration()).log_evidence_bound
    return best - infer(model, method, progress=False).log_evidence_bound


def test_lottery():
    assert 0 <= gap(lottery.model(), SVI(optimizer="adam", steps=300)) < 1e-3


@pytest.mark.slow
def test_hiking():
    assert 0 <= gap(hiking.model(), SVI(optimizer="adam", learning_rate=0.3)) < 1e-4


@pytest.mark.slow
def test_frozen_lake():
    """1,000 steps at a rate of 0.3 that falls to 0."""
    assert 0 <= gap(frozen_lake.model(), SVI(optimizer="adam", learning_rate=0.3)) < 1e-3


@pytest.mark.slow
def test_unconstrained_stalls_on_the_lake_where_the_natural_gradient_does_not():
    model = frozen_lake.model()
    evidence = infer(model, MessagePassing()).log_evidence_bound
    natural = infer(model, SVI(Unconstrained()), progress=False).log_evidence_bound
    adam = infer(model, SVI(Unconstrained(), optimizer="adam"), progress=False)
    assert evidence - natural < 1e-2 < evidence - adam.log_evidence_bound < 5


def test_networks_are_served():
    """An MLP over one-hot states and time comes near the table it approximates."""
    model = lottery.model()
    policy = CategoricalMLP(2, num_states=4, horizon=1, hidden=(16,))
    solution = infer(model, SVI(FixedDynamics(policy), steps=300), progress=False)
    assert solution.log_evidence_bound == pytest.approx(0.344055, abs=1e-3)
    assert solution.policy is not policy


def test_a_stationary_policy_is_a_smaller_family():
    from ppl_control.policies import TabularPolicy

    model = hiking.model(temperature=1.0)
    stationary = SVI(FixedDynamics(TabularPolicy.uniform(25, 4)), steps=300)
    assert 0.01 < gap(model, stationary) < 2
    timed = TabularPolicy(torch.zeros(13, 25, 4, dtype=torch.float64))
    assert gap(model, SVI(FixedDynamics(timed))) < 1e-9
