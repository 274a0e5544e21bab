"""Two equal goals; what is best in each family by quadrature on a grid."""

import math

import numpy as np
import pytest
import torch

from ppl_control import SVI, guides, infer
from ppl_control.models import bimodal
from ppl_control.policies import FlowPolicy, MixtureMLP

NOISE, ALPHA, VARIANCE = 0.1, 0.2, 0.3  # the defaults
ACTIONS = np.linspace(-3, 3, 241)
SIZES = {"num_features": 1, "action_dim": 1, "horizon": 2}
QUICK = {"steps": 400, "particles": 64}


def log_weights() -> np.ndarray:
    """log N(a; 0, VARIANCE) da on the grid."""
    step = ACTIONS[1] - ACTIONS[0]
    return -(ACTIONS**2) / (2 * VARIANCE) - 0.5 * math.log(2 * math.pi * VARIANCE) + math.log(step)


def log_sum_exp(x: np.ndarray) -> np.ndarray:
    top = x.max(-1, keepdims=True)
    return np.log(np.exp(x - top).sum(-1)) + top[..., 0]


def expected_reward(mean: np.ndarray, variance: float) -> np.ndarray:
    """E[−(|x| − 1)²], x ~ N(mean, variance): E|x| is the folded normal's."""
    spread = math.sqrt(variance)
    erf = torch.erf(torch.as_tensor(mean / (spread * math.sqrt(2)))).numpy()
    folded = spread * math.sqrt(2 / math.pi) * np.exp(-(mean**2) / (2 * variance)) + mean * erf
    return -(mean**2 + variance - 2 * folded + 1)


def best_plans() -> float:
    """log ∫ π0 exp(E[R|a]/α) da, over both actions at once."""
    first, second = np.meshgrid(ACTIONS, ACTIONS, indexing="ij")
    total = expected_reward(first, NOISE**2) + expected_reward(first + second, 2 * NOISE**2)
    weights = log_weights()
    return float(log_sum_exp((total / ALPHA + weights[:, None] + weights).ravel()))


def best_feedback() -> float:
    """Soft value iteration from the last step, states on a grid."""
    states = np.linspace(-4.5, 4.5, 901)
    last = log_sum_exp(expected_reward(states[:, None] + ACTIONS, NOISE**2) / ALPHA + log_weights())
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    tail = np.interp(ACTIONS[:, None] + NOISE * nodes, states, last) @ (weights / weights.sum())
    return float(log_sum_exp(expected_reward(ACTIONS, NOISE**2) / ALPHA + tail + log_weights()))


def bound(method: SVI, temperature: float = ALPHA) -> float:
    return infer(bimodal.model(temperature=temperature), method, progress=False).log_evidence_bound


def test_families_are_ordered():
    """Seeing the state is worth something, but little: the choice is made at the first step."""
    assert 0 < best_feedback() - best_plans() < 0.1
    assert best_plans() == pytest.approx(-2.2007, abs=1e-3)
    assert best_feedback() == pytest.approx(-2.1606, abs=1e-3)


def test_the_goals_are_equal():
    mdp = bimodal.mdp()
    action, state = torch.zeros(4, 1), torch.tensor([[1.0], [-1.0], [0.0], [0.5]])
    reward = mdp.reward(torch.zeros(4, 1), action, state)
    assert reward.tolist() == [0, 0, -1, -0.25]


@pytest.mark.slow
def test_a_gaussian_plan_loses_a_goal_and_a_flow_keeps_it():
    """A temperature that comes down keeps the flow in both modes; a brisk rate takes the Gaussian into one."""
    gaussian = best_plans() - bound(SVI(guides.OpenLoop(), learning_rate=0.1, **QUICK))
    cooled = SVI(guides.OpenLoop("flow"), learning_rate=0.01, final_temperature=ALPHA, steps=600, particles=64)
    flow = best_plans() - bound(cooled, temperature=1.0)
    assert gaussian == pytest.approx(math.log(2), abs=0.1)
    assert 0 <= flow < 0.25


@pytest.mark.slow
def test_a_gaussian_policy_loses_a_goal_and_others_keep_it():
    gaussian = best_feedback() - bound(SVI(guides.FixedDynamics(), **QUICK))
    mixture = best_feedback() - bound(
        SVI(guides.FixedDynamics(MixtureMLP(**SIZES)), estimator="score", steps=400, particles=128)
    )
    flow = best_feedback() - bound(SVI(guides.FixedDynamics(FlowPolicy(**SIZES)), learning_rate=0.005, **QUICK))
    assert gaussian == pytest.approx(math.log(2), abs=0.1)
    assert -0.02 < mixture < 0.1
    assert -0.02 < flow < 0.25


@pytest.mark.parametrize("settings", [{"noise": 0.0}, {"action_prior": 0.0}, {"action_prior": "uniform"}])
def test_bad_settings(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"{name}: expected a"):
        bimodal.model(**settings)
