"""Fits: known tastes recovered, the three objectives apart and together, what has no optimum."""

import numpy as np
import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from ppl_control.inverse import (
    ActionCost,
    LinearReward,
    MaxEntIRL,
    MLPReward,
    TabularReward,
    UnboundedError,
    expected_counts,
    occupancy_distance,
)
from ppl_control.models import bus_engine, frozen_lake, hiking, narrow_bridge

TRUTH = torch.tensor([10.0, 1.0, -10.0, -0.1], dtype=torch.float64)


@pytest.fixture(scope="module")
def hike():
    return hiking.model()


@pytest.fixture(scope="module")
def hiker(hike):
    return infer(hike, SoftValueIteration())


@pytest.fixture(scope="module")
def fits(hike, hiker):
    walks = hiker.sample(1000, seed=0)
    objectives = ("conditional", "dual", "trajectory")
    return {name: MaxEntIRL(hiking.reward(), name).fit(hike, walks) for name in objectives}


def test_conditional_recovers_the_hiker(hike, hiker, fits):
    assert occupancy_distance(fits["conditional"].solution, hiker, hike) < 0.01
    off = (fits["conditional"].parameters - TRUTH) / fits["conditional"].standard_errors
    assert (off.abs() < 3.5).all()


def test_the_posterior_reading_lets_luck_explain_behaviour(hike, hiker, fits):
    assert occupancy_distance(fits["trajectory"].solution, hiker, hike) > 0.7
    assert fits["trajectory"].parameters[2].abs() < 0.1  # the hill is no danger to someone who will not slip


def test_all_converge(fits):
    assert all(fit.converged for fit in fits.values())
    assert all(fit.gradient < 1e-8 for fit in fits.values())


@pytest.mark.parametrize("objective", ["conditional", "dual"])
def test_infinitely_many_demonstrations_give_the_truth(hike, hiker, objective):
    fit = MaxEntIRL(hiking.reward(), objective).fit(hike, expected_counts(hiker, hike))
    torch.testing.assert_close(fit.parameters, TRUTH, rtol=0, atol=1e-4)


def test_the_trajectory_objective_recovers_who_believes_in_luck():
    """Demonstrations of the posterior as it believes itself to go are what the formula is right for."""
    dry = hiking.model(noise=0.0)
    optimist = infer(dry, MessagePassing())
    fit = MaxEntIRL(hiking.reward(), "trajectory").fit(dry, expected_counts(optimist, dry))
    assert occupancy_distance(fit.solution, optimist, dry) < 1e-6


def test_all_three_agree_without_luck():
    dry = hiking.model(noise=0.0, temperature=2.0)
    walks = infer(dry, SoftValueIteration()).sample(300, seed=1)
    found = [
        MaxEntIRL(hiking.reward(), name).fit(dry, walks).parameters for name in ("conditional", "dual", "trajectory")
    ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found[0], found[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [1, 5, 20])
def test_small_sets_leave_the_dual_unbounded(hike, hiker, n):
    with pytest.raises(UnboundedError, match=r"dual is unbounded.*more than any policy"):
        MaxEntIRL(hiking.reward(), "dual").fit(hike, hiker.sample(n, seed=2))
    assert MaxEntIRL(hiking.reward(), "dual", l2=1e-3).fit(hike, hiker.sample(n, seed=2)).converged


@pytest.mark.slow
def test_standard_errors_are_those_of_repetitions(hike, hiker):
    """The spread of estimates over fresh demonstrations, in units of the errors stated."""
    off = []
    for seed in range(60):
        fit = MaxEntIRL(hiking.reward()).fit(hike, hiker.sample(400, seed=100 + seed))
        off.append(((fit.parameters - TRUTH) / fit.standard_errors)[[0, 1, 3]])  # the hill's is skewed
    spread = torch.stack(off).std(0)
    assert ((spread > 0.75) & (spread < 1.3)).all(), spread


@pytest.mark.slow
def test_robust_errors_of_the_dual_are_those_of_repetitions():
    model = hiking.model(temperature=2.0)
    hiker, off, stated = infer(model, SoftValueIteration()), [], []
    for seed in range(60):
        fit = MaxEntIRL(hiking.reward(), "dual").fit(model, hiker.sample(2000, seed=seed))
        off.append((fit.parameters - TRUTH) / fit.robust_standard_errors)
        stated.append(fit.standard_errors / fit.robust_standard_errors)
    spread = torch.stack(off).std(0)
    assert ((spread > 0.75) & (spread < 1.3)).all(), spread
    assert torch.stack(stated).mean() < 0.8  # the Hessian alone leaves out the luck


def test_weights_that_say_nothing_have_no_finite_error(hike, hiker):
    """A constant feature in a walk that always ends is seen; one that is 0 everywhere is not."""
    features = torch.cat([hiking.reward().features, torch.zeros(25, 4, 1)], -1)
    fit = MaxEntIRL(LinearReward(features)).fit(hike, hiker.sample(500))
    assert fit.standard_errors[-1] == torch.inf
    assert fit.standard_errors[:-1].isfinite().all()


def test_rewards_of_outcomes(hike):
    """What is paid on arrival can be learned too; features [S, A, S, K]."""
    lake = frozen_lake.model().replaced(temperature=0.2, action_prior="uniform", horizon=30)
    features = torch.zeros(16, 4, 16, 2, dtype=torch.float64)
    features[:, :, 15, 0] = 1.0
    for hole in (5, 7, 11, 12):
        features[:, :, hole, 1] = 1.0
    walker = infer(lake, SoftValueIteration())
    exact = expected_counts(walker, lake)
    for objective in ("conditional", "dual"):
        fit = MaxEntIRL(LinearReward(features, names=["goal", "hole"]), objective).fit(lake, exact)
        torch.testing.assert_close(fit.parameters, torch.tensor([1.0, 0.0], dtype=torch.float64), rtol=0, atol=1e-6)
    drawn = MaxEntIRL(LinearReward(features)).fit(lake, walker.sample(2000))
    assert ((drawn.parameters - torch.tensor([1.0, 0.0])).abs() < 4 * drawn.standard_errors).all()


@pytest.mark.parametrize(
    "reward",
    [
        TabularReward(25, 4, "state"),
        TabularReward(25, 4) + ActionCost(num_actions=4),
        MLPReward(num_states=25, num_actions=4, hidden=(16,)),
    ],
    ids=["state", "sum", "network"],
)
def test_other_rewards_explain_the_hiker_too(hike, hiker, reward):
    before = [value.detach().clone() for value in reward.parameters()]
    fit = MaxEntIRL(reward, l2=1e-3).fit(hike, hiker.sample(500))
    assert occupancy_distance(fit.solution, hiker, hike) < 0.05
    assert evaluate(fit.solution, hike).executed_return > 8.0
    assert all(torch.equal(a, b) for a, b in zip(before, reward.parameters(), strict=True))  # a recipe
    assert (fit.standard_errors is None) == (not reward.is_linear)


def test_a_diverging_posterior_is_said_before_anything_else():
    model = TrajectoryModel(hiking.mdp(), temperature=1.0, discount=0.95)
    with pytest.raises(ValueError, match="fixed point diverges"):
        MaxEntIRL(hiking.reward(), "trajectory").fit(model, [[(15, 2, 16)]])


def test_reasonable_mdp_of_imitations_test_suite():
    """True dynamics against the posterior, from the first state of the second step of a five-state loop."""
    P = np.zeros((5, 3, 5))
    P[0] = [[0, 0.9, 0.1, 0, 0], [0, 0, 0, 1, 0], [0, 0.1, 0.9, 0, 0]]
    P[1] = P[2] = [[0, 0, 0, 0.05, 0.95], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
    P[3], P[4] = [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]
    reward = np.repeat(np.array([1.0, 2.0, 2.0, -20.0, 3.0])[:, None], 3, 1)
    model = TrajectoryModel(TabularMDP([0.5, 0, 0, 0, 0.5], P, reward), horizon=20)
    for method, expected in (
        (SoftValueIteration(), [0.248431, 0.0, 0.751569]),
        (MessagePassing(), [0.487179, 0.0, 0.512821]),
    ):
        policy = infer(model, method).policy.log_table().exp()[0, 1]
        np.testing.assert_allclose(policy.detach().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "causal"}, "objective"),
        ({"l2": -1.0}, "l2"),
        ({"l2": float("nan")}, "l2"),
        ({"tolerance": 0}, "tolerance"),
        ({"steps": 0}, "steps"),
    ],
)
def test_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        MaxEntIRL(hiking.reward(), **settings)


def test_what_cannot_be_fitted(hike):
    with pytest.raises(ValueError, match="reward"):
        MaxEntIRL("linear")
    with pytest.raises(ValueError, match=r"does not fit a model of 25 states"):
        MaxEntIRL(TabularReward(3, 2)).fit(hike, [[(15, 2, 16)]])
    with pytest.raises(ValueError, match="tabular"):
        MaxEntIRL(hiking.reward()).fit(narrow_bridge.model(), [[(15, 2, 16)]])


def test_models_in_single_precision_are_fitted_in_double(hike, hiker):
    single = TrajectoryModel(
        TabularMDP.from_outcomes(
            [[[(1.0, 0, 0.0, False)], [(1.0, 1, 0.0, True)]], [[], []]], [1.0, 0.0], dtype=torch.float32
        ),
        horizon=3,
    )
    fit = MaxEntIRL(TabularReward(2, 2), l2=0.1).fit(single, [[(0, 0, 0), (0, 1, 1)], [(0, 1, 1)]])
    assert fit.converged
    assert fit.solution.soft_value.dtype == torch.float32


def test_constant_features_leave_other_errors_as_they_are():
    """Over a horizon without ends a constant is not felt: its error is infinite, and nobody else's changes."""
    generator = torch.Generator().manual_seed(0)
    transition = torch.rand(4, 3, 4, generator=generator, dtype=torch.float64)
    transition /= transition.sum(-1, keepdim=True)
    pay = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    model = TrajectoryModel(TabularMDP(torch.full((4,), 0.25), transition, pay), horizon=7)
    two = torch.randn(4, 3, 2, generator=generator, dtype=torch.float64)
    three, walks = torch.cat([two, torch.full((4, 3, 1), 1.7)], -1), infer(model, SoftValueIteration()).sample(200)
    for objective in ("conditional", "dual", "trajectory"):
        plain, more = (MaxEntIRL(LinearReward(f), objective).fit(model, walks) for f in (two, three))
        for name in ("standard_errors", "score_standard_errors", "robust_standard_errors"):
            errors = getattr(more, name)
            torch.testing.assert_close(errors[:2], getattr(plain, name), rtol=1e-6, atol=0)
            assert errors[2] == torch.inf


def test_fits_go_on_from_fits_and_where_gradients_are_switched_off(hike, hiker, fits):
    again = MaxEntIRL(fits["conditional"].reward).fit(hike, hiker.sample(1000, seed=0))
    torch.testing.assert_close(again.parameters, fits["conditional"].parameters, rtol=1e-6, atol=1e-6)
    with torch.no_grad():
        assert MaxEntIRL(hiking.reward()).fit(hike, hiker.sample(50)).converged
    with torch.inference_mode():
        assert MaxEntIRL(hiking.reward()).fit(hike, hiker.sample(50)).converged


def test_value_and_gradient_are_those_of_the_recipe(hike, hiker):
    reward, walks = LinearReward(hiking.reward().features, weights=[1.0, 0.5, -2.0, -0.1]), hiker.sample(20)
    for objective in ("conditional", "dual", "trajectory"):
        _, slope = MaxEntIRL(reward, objective).value_and_gradient(hike, walks)
        for k in range(4):
            ends = []
            for step in (1e-6, -1e-6):
                moved = reward.weights.detach() + step * torch.eye(4)[k]
                there = MaxEntIRL(LinearReward(reward.features, weights=moved), objective)
                ends.append(there.value_and_gradient(hike, walks)[0])
            assert slope[k].item() == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


def test_long_discounts_are_watched_as_fast_as_short_ones():
    model = bus_engine.model()
    fit = MaxEntIRL(bus_engine.reward(), "dual").fit(model, expected_counts(infer(model, SoftValueIteration()), model))
    assert fit.parameters.tolist() == pytest.approx([10.075, 2.293], abs=1e-4)


def test_many_parameters_are_fitted_without_a_hessian():
    lake = frozen_lake.model().replaced(temperature=0.2, action_prior="uniform", horizon=30)
    walker = infer(lake, SoftValueIteration())
    fit = MaxEntIRL(TabularReward(16, 4, "outcome"), l2=1e-3).fit(lake, walker.sample(200))
    assert fit.converged
    assert fit.gradient < 1e-5
    assert fit.parameters.numel() == 1024


def test_numbers_that_are_none(hike):
    reward = TabularReward(25, 4)
    reward.table.data[3, 2] = torch.nan
    with pytest.raises(ValueError, match=r"reward: expected finite numbers, got .* in state 3, action 2"):
        MaxEntIRL(reward).fit(hike, [[(15, 2, 16)]])
    for model in (None, hike.mdp, "hiking"):
        with pytest.raises(ValueError, match="model: expected a TrajectoryModel"):
            MaxEntIRL(hiking.reward()).fit(model, [[(15, 2, 16)]])
    with pytest.raises(ValueError, match="objective"):
        MaxEntIRL(hiking.reward(), ["dual"])
