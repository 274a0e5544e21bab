"""The evidence that particles estimate: unbiased in Z whatever proposal and lookahead, with an honest standard error.

Groups of particles are independent runs: one call repeats an experiment as often as there are groups.
"""

import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, infer
from ppl_control.inference.variational.particles import ParticlePlanning
from ppl_control.inference.variational.particles.resampling import log_mean, standard_error
from ppl_control.models import hiking
from ppl_control.policies import TabularPolicy
from tests.brute_force import log_evidence
from tests.problems import each_problem, label, random_problem

MILD, STEEP = hiking.model(temperature=5), hiking.model(temperature=0.1)
LOG_Z = {MILD: -1.0593052571431, STEEP: 88.50627197936}


def estimates(model, log_z: float, size: int, repeats: int, seed: int = 0, **settings) -> torch.Tensor:
    """Ẑ/Z of independent runs with ``size`` particles each."""
    method = ParticlePlanning(size * repeats, groups=repeats, **settings)
    state = method.init(model, seed)
    while not method.finished(state):
        method.step(model, state)
    return (log_mean(state.gains) - log_z).exp()


def score(ratios: torch.Tensor) -> float:
    """How many standard errors the mean of Ẑ/Z is from 1."""
    return float((ratios.mean() - 1) / (ratios.std() / len(ratios) ** 0.5))


def test_bootstrap_is_unbiased_in_z():
    ratios = estimates(MILD, LOG_Z[MILD], 64, 4000)
    assert abs(score(ratios)) < 3.5
    assert ratios.std() / len(ratios) ** 0.5 < 0.004  # 20 times less than what resampling gains


@pytest.mark.parametrize("threshold", [0.1, 1.0])
def test_the_soft_value_is_as_good_a_lookahead_as_any(threshold: float):
    ratios = estimates(MILD, LOG_Z[MILD], 16, 4000, lookahead="variational", resample_threshold=threshold)
    assert abs(score(ratios)) < 3.5
    assert ratios.std() / len(ratios) ** 0.5 < 0.001


def crooked(states: torch.Tensor, t: int) -> torch.Tensor:
    return (1.3 * states + t).sin()


AWAKE = random_problem(13, states=2, horizon=4, discount=0.8)  # its last state is not the end


@pytest.mark.parametrize("problem", [*each_problem(), AWAKE], ids=label)
def test_every_world_prior_and_proposal_is_unbiased(problem):
    model, log_z = problem.model(), log_evidence(problem)
    logits = torch.randn(problem.num_states, problem.num_actions, generator=torch.Generator().manual_seed(3))
    proposal = TabularPolicy(logits.double())
    for seed, settings in enumerate(
        (
            {},
            {"lookahead": crooked},
            {"lookahead": crooked, "proposal": proposal, "resample_threshold": 1.0},
            {"proposal": proposal, "resample_threshold": 0.9},
        )
    ):
        ratios = estimates(model, log_z, 16, 2000, seed, **settings)
        assert abs(score(ratios)) < 4.2, settings
        assert ratios.std() / len(ratios) ** 0.5 < 0.06


def test_the_posteriors_lookahead_is_exact_and_any_other_is_not():
    solution = infer(STEEP, ParticlePlanning(64, lookahead="posterior"), progress=False)
    assert solution.log_evidence_bound == pytest.approx(LOG_Z[STEEP], abs=1e-9)
    assert solution.log_evidence_bound_stderr < 1e-9
    assert solution.history["ess"] == pytest.approx([64.0] * 13)
    assert not solution.exact
    other = infer(STEEP, ParticlePlanning(64, lookahead="variational"), progress=False)
    assert other.log_evidence_bound < LOG_Z[STEEP] - 0.5


def test_posterior_lookahead_within_its_promise():
    bounds = [infer(STEEP, ParticlePlanning(4096, lookahead="posterior"), seed=s, progress=False) for s in range(20)]
    near = [abs(solution.log_evidence_bound - LOG_Z[STEEP]) < 0.15 for solution in bounds]
    assert sum(near) >= 19


def test_bootstrap_is_hopeless_where_it_is_steep():
    solution = infer(STEEP, ParticlePlanning(4096), progress=False)
    assert solution.log_evidence_bound < LOG_Z[STEEP] - 80
    assert min(solution.history["ess"]) < 0.05 * 4096
    assert solution.history["lineages"][0] < 0.05 * 4096
    assert solution.history["lineages"][-1] == 4096
    assert solution.guide.believed_return == pytest.approx(0.7, abs=0.01)  # all at the near peak


@pytest.mark.parametrize("lookahead", [None, "variational"])
def test_standard_error_is_calibrated(lookahead):
    """Errors of log Ẑ in units of their standard error: Student's t with 15 degrees of freedom has 1.07."""
    runs = estimates(MILD, LOG_Z[MILD], 32, 16 * 400, lookahead=lookahead).log().view(400, 16)
    ratio = log_mean(runs) / torch.tensor([standard_error(run) for run in runs])
    assert 0.9 < ratio.square().mean().sqrt() < 1.3
    assert (ratio.abs() < 2.13).double().mean() > 0.9
    solution = infer(MILD, ParticlePlanning(512, lookahead=lookahead), progress=False)
    spread = float(log_mean(runs).std())
    assert 0.5 * spread < solution.log_evidence_bound_stderr < 2 * spread


def test_believed_return_and_its_standard_error():
    model = random_problem(1, prior="uniform").model()
    answer = infer(model, MessagePassing())
    truth = float(answer.sample(200_000).returns.mean())
    ratios = []
    for seed in range(60):
        guide = infer(model, ParticlePlanning(512), seed=seed, progress=False).guide
        ratios.append((guide.believed_return - truth) / guide.believed_return_stderr)
    assert 0.8 < torch.tensor(ratios).square().mean().sqrt() < 1.45


def test_fewer_than_two_groups_have_no_standard_error():
    solution = infer(MILD, ParticlePlanning(7), progress=False)
    assert torch.tensor(solution.log_evidence_bound_stderr).isnan()
    assert torch.tensor(solution.guide.believed_return_stderr).isnan()


def test_policies_may_propose():
    """A proposal trained elsewhere narrows the spread."""
    policy = infer(MILD, SoftValueIteration()).policy
    plain, better = (estimates(MILD, LOG_Z[MILD], 64, 1000, proposal=p) for p in (None, policy))
    assert abs(score(better)) < 3.5
    assert better.std() < 0.6 * plain.std()
