"""Seeds, checkpoints and settings."""

import math
import random

import numpy as np
import pytest
import torch

from ppl_control import TabularMDP, TrajectoryModel, infer
from ppl_control.inference.base import DivergenceError
from ppl_control.inference.checkpoint import FORMAT
from ppl_control.inference.contracts import ExactMethod, IterativeMethod
from ppl_control.inference.stored import read_values
from ppl_control.inference.variational.particles import ParticlePlanning
from ppl_control.models import hiking
from ppl_control.policies import CategoricalMLP, TabularPolicy
from tests.problems import random_problem
from tests.trajectory.test_from_program import as_program

MODEL = random_problem(1, discount=0.8, prior="closed").model()
WEIGHTINGS = pytest.mark.parametrize("weighting", ["posterior", "fixed_dynamics"])


def contents(solution) -> dict[str, torch.Tensor]:
    numbers = solution.log_evidence_bound, solution.log_evidence_bound_stderr
    return {
        **solution.guide.state_dict(),
        **{name: torch.tensor(column) for name, column in solution.history.items()},
        "numbers": torch.tensor(numbers, dtype=torch.float64),
    }


def assert_same(one, other) -> None:
    here, there = contents(one), contents(other)
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)


@WEIGHTINGS
def test_seeds_settle_everything_and_touch_nothing(weighting: str):
    method = ParticlePlanning(64, weighting=weighting)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    runs = [infer(MODEL, method, seed=seed, progress=False) for seed in (3, 3, 4)]
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    assert_same(runs[0], runs[1])
    assert not torch.equal(runs[0].guide.states, runs[2].guide.states)


@WEIGHTINGS
def test_a_run_is_taken_up_between_any_two_steps(weighting: str, tmp_path):
    method = ParticlePlanning(64, weighting=weighting, resample_threshold=1.0)
    whole = infer(MODEL, method, seed=1, progress=False)
    for stop in (1, 2):
        path = tmp_path / f"{stop}.pt"
        infer(MODEL, method, seed=1, progress=False, checkpoint=path, callbacks=[lambda s, n=stop: s.number == n])
        state = method.init(MODEL, 1)
        state.load_state_dict(read_values(path, FORMAT)["state"])
        assert state.number == stop
        assert_same(whole, infer(MODEL, method, seed=1, progress=False, checkpoint=path))


def test_an_unfinished_run_is_finished_in_a_copy():
    method = ParticlePlanning(64)
    state = method.init(MODEL, 1)
    method.step(MODEL, state)
    kept = {name: len(column) for name, column in state.state_dict()["genealogy"].items()}
    assert_same(method.solution(MODEL, state), infer(MODEL, method, seed=1, progress=False))
    assert state.number == 1
    assert {name: len(column) for name, column in state.state_dict()["genealogy"].items()} == kept


def test_it_is_a_method_in_as_many_steps_as_the_horizon():
    method = ParticlePlanning(64)
    assert isinstance(method, IterativeMethod)
    assert not isinstance(method, ExactMethod)
    assert method.number_of_steps(MODEL) == 3
    seen = []
    infer(MODEL, method, callbacks=[lambda step: seen.append(step.metrics)], progress=False)
    assert len(seen) == 3
    assert set(seen[0]) == {"ess", "log_evidence"}


def test_proposals_are_not_touched():
    policy = TabularPolicy.uniform(3, 2)
    infer(MODEL, ParticlePlanning(64, proposal=policy), progress=False)
    assert policy.logits.requires_grad
    mlp = CategoricalMLP(2, num_states=3, horizon=3, hidden=(4,))
    assert math.isfinite(infer(MODEL, ParticlePlanning(64, proposal=mlp), progress=False).log_evidence_bound)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"particles": 1}, "particles: expected an integer >= 2, got 1"),
        ({"particles": 2.5}, "particles"),
        ({"particles": True}, "particles"),
        ({"weighting": "prior"}, "weighting: .* 'prior'"),
        ({"resample_threshold": 0.0}, r"resample_threshold: expected a number in \(0, 1\], got 0.0"),
        ({"resample_threshold": 1.1}, "resample_threshold"),
        ({"resample_threshold": "half"}, "resample_threshold"),
        ({"lookahead": "soft"}, "lookahead: .* 'soft'"),
        ({"lookahead": 3.0}, "lookahead"),
        ({"lookahead": "posterior", "weighting": "fixed_dynamics"}, "lookahead: .* counts on luck"),
        ({"proposal": "uniform"}, "proposal: expected a policy module"),
        ({"groups": 3}, "groups: expected a divisor of particles=1024, got 3"),
        ({"groups": 0}, "groups"),
        ({"candidates": 1}, "candidates"),
        ({"outcomes": 0}, "outcomes"),
    ],
)
def test_settings_out_of_range(settings, message: str):
    with pytest.raises(ValueError, match=message):
        ParticlePlanning(**settings)


def forbidding() -> TabularPolicy:
    logits = torch.zeros(3, 2, dtype=torch.float64)
    logits[1, 0] = -torch.inf
    return TabularPolicy(logits)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"proposal": forbidding()}, "proposal: no mass on action 0 in state 1 at t=0"),
        ({"proposal": TabularPolicy.uniform(4, 2)}, "policy: expected a table of shape"),
        ({"proposal": TabularPolicy.uniform(3, 2), "weighting": "fixed_dynamics"}, "proposal: .* all weighed"),
        (
            {"lookahead": lambda states, t: states.double().log()},
            "lookahead: expected finite .* -inf in state 0 at t=0",
        ),
        ({"lookahead": lambda states, t: torch.zeros(2)}, r"lookahead: expected a tensor of shape \[3\]"),
        ({"lookahead": lambda states, t: 0.0}, "lookahead: expected a tensor"),
    ],
)
def test_settings_that_cannot_serve_a_model(settings, message: str):
    with pytest.raises(ValueError, match=message):
        infer(MODEL, ParticlePlanning(64, **settings))


def test_models_it_does_not_serve():
    with pytest.raises(ValueError, match="horizon"):
        infer(MODEL.replaced(horizon=None), ParticlePlanning(64))
    with pytest.raises(ValueError, match="use SVI"):
        infer(as_program(random_problem(8, prior="uniform", shared=False, ends=False)), ParticlePlanning(64))


def test_overflow_is_named():
    mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[1e308, 0.0]])
    with pytest.raises(DivergenceError, match="step 1: a weight is"):
        infer(TrajectoryModel(mdp, horizon=2, temperature=1e-3), ParticlePlanning(64), progress=False)


def test_groups_divide_the_particles():
    counts = {n: ParticlePlanning(n).init(hiking.model()).gains.shape for n in (2, 4, 16, 100, 1024)}
    assert counts == {2: (1, 2), 4: (2, 2), 16: (8, 2), 100: (10, 10), 1024: (16, 64)}
