"""Tables: from drawn outcomes to the fixed point that soft value iteration computes from their averages."""

import math
from time import perf_counter

import pytest
import torch

from ppl_control import SoftQLearning, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from ppl_control.inference.reinforcement.soft_q_learning.tables import start_on_tables
from tests.oracles import rows
from tests.oracles.test_discounted import problem
from tests.problems import random_problem

LAKE = TabularMDP.from_gymnasium("FrozenLake-v1")


def errors(found, best) -> list[float]:
    return [float((getattr(found, name) - getattr(best, name)).abs().max()) for name in ("soft_value", "soft_q")]


@pytest.mark.slow
@pytest.mark.parametrize("row", rows("discounted"))
def test_the_discounted_fixed_point(row):
    """Within 1e-2 of the oracle, in every state and action, at every temperature, under both priors."""
    model = problem(row)
    start = perf_counter()
    found = infer(model, SoftQLearning(), progress=False)
    assert perf_counter() - start < 60  # 2 to 8 s where nobody else computes
    assert abs(float(found.soft_value[model.mdp.initial.argmax()]) - row["V_soft_s0"]) < 1e-2
    best = infer(model, SoftValueIteration())
    assert max(errors(found, best)) < 1e-2
    assert found.log_evidence_bound == pytest.approx(best.log_evidence_bound, abs=1e-4)
    assert found.log_evidence_bound <= best.log_evidence_bound + 1e-9  # of a real policy: it cannot be above


@pytest.mark.parametrize("prior", [None, "uniform"])
def test_frozen_lake_quickly(prior):
    model = TrajectoryModel(LAKE, temperature=0.1, discount=0.9, action_prior=prior)
    found = infer(model, SoftQLearning(steps=64 * 600 * 100_000, batch_size=100_000), progress=False)
    best = infer(model, SoftValueIteration())
    assert max(errors(found, best)) < 1e-2
    assert found.exact is False
    assert found.log_evidence_bound_stderr == 0
    assert best.log_evidence_bound - 1e-4 < found.log_evidence_bound <= best.log_evidence_bound + 1e-12
    report = evaluate(found, model)
    assert report.executed_return == pytest.approx(evaluate(best, model).executed_return, abs=1e-2)


@pytest.mark.parametrize(("seed", "prior"), list(enumerate(["base", "uniform", "timed", "closed"])))
def test_a_horizon_gives_q_a_time(seed, prior):
    model = random_problem(seed, prior=prior, shared=False).model()
    found = infer(model, SoftQLearning(), seed=seed, progress=False)
    best = infer(model, SoftValueIteration())
    assert found.soft_q.shape == best.soft_q.shape == (model.horizon, 3, 2)
    scale = float(best.soft_q.abs().max()) + 1
    assert max(errors(found, best)) < 1e-2 * scale
    probabilities, expected = (solution.policy.log_table().exp() for solution in (found, best))
    live = ~model.mdp.terminal
    torch.testing.assert_close(probabilities[:, live], expected[:, live], atol=0.02, rtol=0)
    assert found.log_evidence_bound == pytest.approx(best.log_evidence_bound, abs=2e-3)


def test_no_discount_where_all_ends():
    mdp = TabularMDP.from_outcomes([[[(0.5, 0, -1.0, False), (0.5, 0, 0.0, True)], [(1.0, 0, -2.5, True)]]], [1.0])
    model = TrajectoryModel(mdp, temperature=0.5)
    found, best = infer(model, SoftQLearning(), progress=False), infer(model, SoftValueIteration())
    assert max(errors(found, best)) < 1e-2  # 200 sweeps for each of the decisions that the longest life has


def test_a_sweep_by_hand():
    """Deterministic outcomes: every sample is the average, and the first sweep, at rate 1, is the backup itself."""
    mdp = TabularMDP.from_outcomes(
        [[[(1.0, 1, 1.0, False)], [(1.0, 0, 0.0, True)]], [[(1.0, 1, 2.0, False)]] * 2], [1, 0]
    )
    state = start_on_tables(TrajectoryModel(mdp, temperature=0.5, discount=0.9), 8, 1, seed=0)
    assert state.total == 8
    state.advance()  # two sweeps of four pairs
    rate, entropy = 40 / (40 + 1), 0.5 * math.log(2.0)
    first = torch.tensor([[1.0 + 0.9 * entropy, 0.0], [2.0 + 0.9 * entropy] * 2], dtype=torch.float64)
    later = 2.0 + 1.9 * entropy  # V of the second state after the first sweep
    second = torch.tensor([[1.0 + 0.9 * later, 0.0], [2.0 + 0.9 * later] * 2], dtype=torch.float64)
    torch.testing.assert_close(state.q, first + rate * (second - first))
    assert state.number == 8
    assert state.finished


def test_only_drawn_outcomes_move_q():
    """One transition a pair: the target is that of one outcome, never of their average."""
    mdp = TabularMDP.from_outcomes([[[(0.5, 0, 1.0, True), (0.5, 0, -1.0, True)]]], [1.0])
    state = start_on_tables(TrajectoryModel(mdp, horizon=1), 100, 1, seed=0)
    seen = torch.tensor([float(state.sampled_target()) for _ in range(200)])
    assert set(seen.tolist()) == {1.0, -1.0}
    assert abs(float(seen.mean())) < 0.3
    state.samples = 10_000
    assert 0 < abs(float(state.sampled_target())) < 0.05


def test_steps_are_transitions():
    model = TrajectoryModel(LAKE, temperature=0.1, discount=0.9)
    assert 900_000 < SoftQLearning(steps=1_000_000).number_of_steps(model) <= 1_000_000
    assert SoftQLearning().number_of_steps(model) == 64 * 2000 * 100_000
    assert infer(model, SoftQLearning(steps=6400, batch_size=10), progress=False).history["step"] == (6400.0,)


def test_what_is_refused():
    endless = TrajectoryModel(TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 1.0]]))
    with pytest.raises(ValueError, match="discount: SoftQLearning needs a discount < 1 or a horizon"):
        infer(endless, SoftQLearning())
    with pytest.raises(ValueError, match=r"steps: one sweep over all pairs .* takes 64, got 63"):
        infer(TrajectoryModel(LAKE, discount=0.9), SoftQLearning(steps=63))
    with pytest.raises(ValueError, match="hidden: networks learn in a SimulatorMDP"):
        infer(TrajectoryModel(LAKE, discount=0.9), SoftQLearning(hidden=(8,)))
