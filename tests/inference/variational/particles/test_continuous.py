"""Particles in continuous worlds, against closed forms and enumeration."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from gymnasium import spaces

from ppl_control import TrajectoryModel, infer
from ppl_control.inference.exact.linear_gaussian import posterior_control, variational_control
from ppl_control.inference.variational.particles import ParticlePlanning
from ppl_control.inference.variational.particles.candidates import CandidatePolicy
from ppl_control.mdp import DifferentiableMDP
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import LinearGaussianPolicy
from ppl_control.randomness import RandomStream
from tests.inference.variational.particles.test_evidence import estimates, score
from tests.inference.variational.particles.test_runs import assert_same

SCALAR = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=2.0, final_state_cost=1.0)
LINE = TrajectoryModel(SCALAR, horizon=5)
LOG_Z, BELIEVED, BEST_ELBO, EXECUTED = -4.176423, -7.839264, -5.971751, -9.892749
WIDE = LinearGaussianPolicy(torch.tensor([[0.6]]).double(), torch.tensor([[0.6]]).double())


def plane() -> TrajectoryModel:
    """Two dimensions, one action, a spread first state and a Gaussian action prior."""
    mdp = LinearGaussianMDP(
        [[1.0, 0.2], [0.0, 0.9]], [[0.0], [0.5]], [[0.05, 0.0], [0.0, 0.1]], [[1.0, 0.0], [0.0, 0.1]], 0.2,
        initial_mean=[1.0, 0.0], initial_covariance=[[0.2, 0.05], [0.05, 0.1]],
        final_state_cost=[[2.0, 0.0], [0.0, 0.0]],
    )  # fmt: skip
    prior = dist.MultivariateNormal(torch.tensor([0.1]).double(), torch.tensor([[1.5]]).double())
    return TrajectoryModel(mdp, horizon=4, temperature=1.5, action_prior=prior)


def crooked(states: torch.Tensor, t: int) -> torch.Tensor:
    return -0.7 * states[:, 0] ** 2 + (states.sum(-1) + t).sin()


SETTINGS = {
    "bootstrap": {"proposal": WIDE},
    "crooked": {"proposal": WIDE, "lookahead": crooked},
    "variational": {"lookahead": "variational"},
    "posterior": {"lookahead": "posterior", "resample_threshold": 1.0},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_evidence_is_unbiased_on_the_line(name: str):
    ratios = estimates(LINE, LOG_Z, 64, 3000, **SETTINGS[name])
    assert abs(score(ratios)) < 4
    assert ratios.std() / 3000**0.5 < 0.05


@pytest.mark.parametrize(
    "settings", [{}, {"lookahead": crooked}, {"lookahead": "variational"}], ids=["plain", "crooked", "variational"]
)
def test_the_evidence_is_unbiased_in_the_plane(settings):
    model = plane()
    log_z = posterior_control(model.mdp, 4, 1.5, 1.0, model.action_prior).log_evidence_bound
    ratios = estimates(model, log_z, 64, 2000, **settings)
    assert abs(score(ratios)) < 4
    assert ratios.std() / 2000**0.5 < 0.03


def test_lookahead_brings_the_bound_near_and_the_beliefs_too():
    solution = infer(LINE, ParticlePlanning(4096, lookahead="posterior"), progress=False)
    assert abs(solution.log_evidence_bound - LOG_Z) < min(4 * solution.log_evidence_bound_stderr, 0.15)
    assert abs(solution.guide.believed_return - BELIEVED) < 4 * solution.guide.believed_return_stderr
    with RandomStream(0):
        assert solution.guide.sample_plan(7).shape == (7, 5, 1)
        assert solution.guide.sample(7).states.shape == (7, 6, 1)


def test_fixed_dynamics_draw_from_the_exact_policy():
    solution = infer(LINE, ParticlePlanning(16384, weighting="fixed_dynamics"), progress=False)
    assert solution.log_evidence_bound_stderr < 0.02
    assert abs(solution.log_evidence_bound - BEST_ELBO) < 4 * solution.log_evidence_bound_stderr
    assert abs(solution.guide.believed_return - EXECUTED) < 4 * solution.guide.believed_return_stderr
    exact = variational_control(SCALAR, 5).policy()
    state = torch.tensor([[1.0], [-2.0]]).double()
    for t in (0, 4):
        torch.testing.assert_close(solution.policy(state, t).mean, exact(state, t).mean)


def walk(discount: float = 0.8, noise: float = 0.0, **settings) -> TrajectoryModel:
    """Steps of −1, 0 or 1 from 0 on the line; it ends at ±2."""

    def transition(state, action):
        return dist.Normal(state + (action - 1)[..., None], noise + 1e-9).to_event(1)

    mdp = DifferentiableMDP(
        torch.zeros(1),
        transition,
        lambda s, a, s2: 0.3 * s2[..., 0] - 0.1 * (a != 1),
        action_space=spaces.Discrete(3),
        final_reward=lambda s: (s[..., 0] - 0.5).abs(),
        done=lambda s: s[..., 0].abs() > 1.5,
    )
    return TrajectoryModel(mdp, horizon=4, temperature=0.7, discount=discount, **settings)


def walk_value(x: int, t: int, discount: float, posterior: bool, prior: float = 1.0) -> float:
    """V_t(x), nats, by recursion in plain Python."""
    if abs(x) > 1.5:
        return 0.0
    if t == 4:
        return abs(x - 0.5) / 0.7
    total = 0.0
    for step in (-1, 0, 1):
        reward = (0.3 * (x + step) - 0.1 * (step != 0)) / 0.7
        ahead = walk_value(x + step, t + 1, discount, posterior, prior)
        if posterior:
            total += prior * math.exp(reward) * ((1 - discount) + discount * math.exp(ahead))
        else:
            total += prior * math.exp(reward + discount * ahead)
    return math.log(total)


@pytest.mark.parametrize("discount", [1.0, 0.8])
@pytest.mark.parametrize("prior", [None, "uniform"])
def test_endings_and_survival(prior, discount: float):
    model, share = walk(discount, action_prior=prior), 1.0 if prior is None else 1 / 3
    log_z = walk_value(0, 0, discount, True, share)
    for settings in ({}, {"lookahead": lambda s, t: s[:, 0].sin(), "resample_threshold": 1.0}):
        ratios = estimates(model, log_z, 16, 3000, **settings)
        assert abs(score(ratios)) < 4
        assert ratios.std() / 3000**0.5 < 0.02

    def value(states, t):
        return torch.tensor([0.7 * walk_value(round(float(x)), t, discount, False, share) for x in states[:, 0]])

    method = ParticlePlanning(1024, weighting="fixed_dynamics", lookahead=value, outcomes=1)
    solution = infer(model, method, progress=False)
    best = walk_value(0, 0, discount, False, share)
    assert abs(solution.log_evidence_bound - best) < 4 * solution.log_evidence_bound_stderr + 1e-6
    assert solution.log_evidence_bound_stderr < 0.05


@pytest.mark.parametrize("weighting", ["posterior", "fixed_dynamics"])
@pytest.mark.parametrize("model", [walk(noise=0.3), plane()], ids=["ends", "plane"])
def test_the_guide_runs_as_a_program(model, weighting: str):
    lookahead = crooked if weighting == "fixed_dynamics" else None
    guide = infer(model, ParticlePlanning(64, weighting=weighting, lookahead=lookahead), progress=False).guide
    with RandomStream(4):
        for _ in range(10):
            trace = pyro.poutine.trace(guide).get_trace()
            replay = pyro.poutine.trace(pyro.poutine.replay(model, trace)).get_trace()
            assert math.isfinite(float(replay.log_prob_sum()))
            if weighting == "posterior":
                factors = [replay.nodes[f"O_{t}"] for t in range(4)]
                total = sum(float(node["infer"]["reward"]) for node in factors)
                assert total == pytest.approx(float(guide.rewards[trace.nodes["particle"]["value"]].sum()))


def test_bounded_actions_have_a_uniform_proposal():
    """∫ exp(−a²) over [−1, 2] and over the outcomes of one step that do not matter."""
    mdp = DifferentiableMDP(
        torch.zeros(1), lambda s, a: dist.Normal(s + a, 0.1).to_event(1), lambda s, a: -(a**2).sum(-1),
        action_space=spaces.Box(-1.0, 2.0, (1,)),
    )  # fmt: skip
    model = TrajectoryModel(mdp, horizon=2)
    integral = math.sqrt(math.pi) / 2 * (math.erf(1) + math.erf(2))
    assert abs(score(estimates(model, 2 * math.log(integral), 64, 2000))) < 4


ONE = TrajectoryModel(SCALAR, horizon=1, temperature=0.8)
AHEAD = variational_control(SCALAR, 5, 0.8).value


@pytest.mark.parametrize(("candidates", "outcomes"), [(2, 1), (8, 4), (48, 32)])
def test_the_bound_with_candidates_is_honest(candidates: int, outcomes: int):
    """Never above the best ELBO, though lucky estimates of Q are preferred, and near it with many."""
    best = variational_control(SCALAR, 1, 0.8).log_evidence_bound
    method = ParticlePlanning(
        4096, weighting="fixed_dynamics", lookahead=AHEAD, proposal=WIDE, candidates=candidates, outcomes=outcomes
    )
    solution = infer(ONE, method, progress=False)
    assert solution.log_evidence_bound < best + 3 * solution.log_evidence_bound_stderr
    if candidates == 48:
        assert solution.log_evidence_bound > best - 0.15
    else:
        assert solution.log_evidence_bound < best - 0.1


def test_many_candidates_are_drawn_like_the_soft_optimal_policy():
    exact = variational_control(SCALAR, 5)
    policy = CandidatePolicy(LINE, exact.value, WIDE, 64, 64)
    with RandomStream(0), torch.no_grad():
        state = torch.full((3000, 1), 1.5).double()
        times = torch.arange(3000) % 2 * 4  # two times in one batch
        choice = policy(state, times)
        actions = choice.sample()
    for t in (0, 4):
        wanted = exact.policy().requires_grad_(False)(state[:1], t)
        found = actions[times == t]
        assert float(found.mean()) == pytest.approx(float(wanted.mean), abs=0.05)
        assert float(found.std()) == pytest.approx(float(wanted.variance.sqrt()), rel=0.1)
    assert choice.log_prob(actions).shape == (3000,)
    assert choice.mode.shape == (3000, 1)
    with pytest.raises(ValueError, match="own draws"):
        choice.log_prob(actions + 1)


def test_seeds_settle_everything():
    method = ParticlePlanning(64, weighting="fixed_dynamics", lookahead=crooked, proposal=WIDE, candidates=4)
    before = torch.get_rng_state()
    for chosen in (method, ParticlePlanning(64, lookahead="variational")):
        one, other = (infer(LINE, chosen, seed=2, progress=False) for _ in range(2))
        assert_same(one, other)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (LINE, {}, r"proposal: unbounded actions .* SoftValueIteration\(\)\)\.policy"),
        (LINE, {"lookahead": crooked, "weighting": "fixed_dynamics"}, "proposal: unbounded"),
        (LINE, {"proposal": WIDE, "weighting": "fixed_dynamics"}, "proposal: .* drawn exactly"),
        (walk(), {"lookahead": "variational"}, "lookahead: 'variational' is computed for .* linear-Gaussian"),
        (walk(), {"weighting": "fixed_dynamics"}, "lookahead: 'variational'"),
        (walk(), {"lookahead": crooked, "proposal": WIDE, "weighting": "fixed_dynamics"}, "proposal: .* all weighed"),
        (walk(), {"proposal": WIDE}, "proposal: expected batch and event shapes"),
        (LINE, {"proposal": WIDE, "lookahead": lambda s, t: s}, r"lookahead: expected a tensor of shape \[2\]"),
        (LINE.replaced(discount=0.9), {"lookahead": "posterior"}, "discount"),
    ],
)
def test_bad_input(model, settings, message: str):
    with pytest.raises(ValueError, match=message):
        infer(model, ParticlePlanning(64, **settings))
