"""Pyro's own exact inference on the per-site program: an independent check of message passing."""

import pyro
import pytest
import torch
from hypothesis import given, settings
from pyro.infer import TraceEnum_ELBO, config_enumerate

from ppl_control import MessagePassing, TrajectoryModel, infer
from ppl_control.models import frozen_lake, hiking, lottery
from tests import brute_force
from tests.problems import Problem, problems


def enumerated_evidence(model: TrajectoryModel) -> float:
    with pyro.validation_enabled(False), torch.no_grad():
        return -TraceEnum_ELBO(max_plate_nesting=0).loss(config_enumerate(model.model), lambda: None)


@settings(max_examples=12)
@given(problem=problems())
def test_random_problems(problem: Problem):
    assert enumerated_evidence(problem.model()) == pytest.approx(brute_force.log_evidence(problem), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "model",
    [lottery.model(), hiking.model(), frozen_lake.model(horizon=20)],
    ids=["lottery", "hiking", "frozen_lake"],
)
def test_worked_problems(model: TrajectoryModel):
    exact = infer(model, MessagePassing()).log_evidence_bound
    assert enumerated_evidence(model) == pytest.approx(exact, rel=1e-9)


@pytest.mark.slow
def test_frozen_lake_over_a_hundred_steps():
    assert enumerated_evidence(frozen_lake.model()) == pytest.approx(165.464177, abs=1e-6)
