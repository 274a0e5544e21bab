"""Rust's numbers, from Rust's data."""

import pytest
import torch

from ppl_control import SoftValueIteration, evaluate, infer
from ppl_control.inverse import MaxEntIRL
from ppl_control.models import bus_engine


@pytest.fixture(scope="module")
def fit():
    return MaxEntIRL(bus_engine.reward()).fit(bus_engine.model(), bus_engine.demonstrations())


def test_the_table_is_that_of_group_4():
    table = bus_engine.decisions()
    assert len(table) == 90
    assert int(table.to_numpy().sum()) == 4292
    assert int(table["replace"].sum()) == 33


def test_estimates_are_those_of_rust_and_the_replications(fit):
    assert fit.parameters.tolist() == pytest.approx([10.0750, 2.2930], abs=1e-3)
    assert fit.log_likelihood == pytest.approx(-163.584, abs=1e-3)
    assert fit.converged


def test_standard_errors_of_both_kinds(fit):
    assert fit.standard_errors.tolist() == pytest.approx([1.351, 0.554], abs=1e-3)
    assert fit.score_standard_errors.tolist() == pytest.approx([1.582, 0.638], abs=1e-3)


def test_the_model_stands_at_the_estimates():
    solution = infer(bus_engine.model(), SoftValueIteration())
    replaces = solution.policy.log_table().exp()[:, 1]
    assert (replaces[1:] > replaces[:-1]).all()  # the more miles, the likelier
    assert replaces[0] < 1e-4
    assert evaluate(solution, bus_engine.model()).optimism == pytest.approx(0.0, abs=1e-6)


def test_summary_names_what_was_learned(fit):
    assert list(fit.summary().index) == ["RC", "θ"]
    assert torch.equal(fit.model.mdp.initial, bus_engine.mdp().initial)
