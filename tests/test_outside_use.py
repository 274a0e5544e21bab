"""What someone from outside tries: modes, other horizons, torch's own distributions, runs taken up again."""

import math

import pyro.distributions as dist
import pytest
import torch
from gymnasium import spaces
from pyro import poutine
from pyro.infer.autoguide import AutoDelta, AutoGuideList, AutoIAFNormal, AutoLaplaceApproximation

from ppl_control import (
    SVI,
    DifferentiableMDP,
    FamilyOptimum,
    LinearGaussianMDP,
    ParticlePlanning,
    RecedingHorizon,
    SoftValueIteration,
    TrajectoryModel,
    evaluate,
    infer,
    load,
)
from ppl_control.guides import MAP, FixedDynamics, OpenLoop
from ppl_control.inference.exact.plan_walks import plan_returns
from tests.problems import random_problem

NORMAL = torch.distributions.MultivariateNormal


def bounded(horizon: int = 3) -> TrajectoryModel:
    mdp = DifferentiableMDP(
        torch.zeros(1),
        lambda state, action: dist.Normal(state + action, 0.1).to_event(1),
        lambda state, action, following: -((following - 1.0) ** 2).sum(-1),
        action_space=spaces.Box(-1.0, 1.0, (1,)),
    )
    return TrajectoryModel(mdp, horizon=horizon)


def linear(prior=None) -> TrajectoryModel:
    mdp = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=2.0, final_state_cost=1.0)
    return TrajectoryModel(mdp, horizon=5, action_prior=prior)


def test_a_run_with_a_final_temperature_is_taken_up_again(tmp_path):
    model, method = random_problem(3).model(), SVI(steps=6, final_temperature=0.05)
    whole = infer(model, method, progress=False, checkpoint=tmp_path / "run.pt")
    again = infer(model, method, progress=False, checkpoint=tmp_path / "run.pt")
    assert again.temperature == whole.temperature == pytest.approx(0.05)
    assert again.log_evidence_bound == whole.log_evidence_bound


@pytest.mark.parametrize("method", [SVI(FixedDynamics(), steps=2, particles=4), SVI(OpenLoop(), steps=2, particles=4)])
def test_modes_between_bounds_are_carried_out(method):
    model = bounded()
    report = evaluate(infer(model, method, progress=False), model, episodes=4, deterministic=True)
    assert report.executed_return < 0


def test_the_mode_of_what_plans_again_is_carried_out():
    model = bounded()
    method = RecedingHorizon(SVI(OpenLoop("flow"), steps=2, particles=4), episodes=2)
    assert evaluate(infer(model, method, progress=False), model, deterministic=True).executed_return < 0


def test_points_outside_the_bounds_are_refused():
    class Far(torch.nn.Module):
        def forward(self, state, t=None):
            return dist.Delta(state + 5.0, event_dim=1)

    with pytest.raises(ValueError, match="beyond the bounds"):
        FixedDynamics(Far()).build(bounded())


@pytest.mark.parametrize("seed", range(4))
def test_the_mode_of_a_joint_plan_is_its_likeliest_sequence(seed: int):
    model = random_problem(seed).model()
    solution = infer(model, FamilyOptimum(OpenLoop()))
    q = solution.guide.plan()
    best = q.log_prob(q.enumerate_support()).max()
    assert q.log_prob(q.mode) == best
    report = evaluate(solution, model, deterministic=True)
    assert report.executed_return <= float(plan_returns(model.tables, q.enumerate_support()).max()) + 1e-12
    assert report.entropy == 0


def test_one_trajectory_has_no_entropy():
    model = random_problem(0).model()
    assert evaluate(infer(model, FamilyOptimum(MAP())), model).entropy == 0


@pytest.mark.parametrize("horizon", [2, 4])
def test_a_plan_of_another_length_is_refused(horizon: int):
    solution = infer(bounded(), SVI(OpenLoop(), steps=2, particles=4), progress=False)
    with pytest.raises(ValueError, match=f"3 actions, the model's horizon is {horizon}"):
        evaluate(solution, bounded(horizon))


@pytest.mark.parametrize(
    "prior",
    [
        NORMAL(torch.ones(1).double(), 0.5 * torch.eye(1).double()),
        torch.distributions.Independent(torch.distributions.Normal(torch.ones(1).double(), 0.7), 1),
    ],
    ids=["multivariate", "independent"],
)
def test_torchs_own_distributions_are_drawn_from_in_programs(prior):
    poutine.trace(linear(prior).model).get_trace()
    space = spaces.Box(-torch.inf, torch.inf, (1,))
    mdp = DifferentiableMDP(
        prior, lambda s, a: NORMAL(s + a, torch.eye(1).double()), lambda s, a: -(s**2).sum(-1), action_space=space
    )
    poutine.trace(TrajectoryModel(mdp, horizon=2).model).get_trace()
    assert prior.log_prob(torch.zeros(1).double()) == TrajectoryModel(mdp, horizon=2).mdp.initial().log_prob(
        torch.zeros(1).double()
    )


def test_the_policy_that_suits_a_prior_off_centre_has_an_offset():
    model = linear(NORMAL(torch.ones(1).double(), 0.5 * torch.eye(1).double()))
    best = infer(model, SoftValueIteration()).log_evidence_bound
    found = infer(model, SVI(steps=100, particles=32, learning_rate=0.1), progress=False).log_evidence_bound
    assert best - 0.2 < found <= best + 1e-9


def test_priors_with_other_correlations_are_other_models(tmp_path):
    mdp = LinearGaussianMDP(torch.eye(2), torch.eye(2), torch.eye(2), torch.eye(2), torch.eye(2), initial_mean=[1, 0])
    one, other = (
        TrajectoryModel(
            mdp, horizon=2, action_prior=NORMAL(torch.zeros(2).double(), torch.tensor([[1, c], [c, 1]]).double())
        )
        for c in (0.9, -0.9)
    )
    infer(one, SoftValueIteration()).save(tmp_path / "a.pt")
    assert load(tmp_path / "a.pt", one).exact
    with pytest.raises(ValueError, match="was fitted to"):
        load(tmp_path / "a.pt", other)


def test_candidates_between_bounds_are_carried_out():
    model = bounded()
    method = ParticlePlanning(16, weighting="fixed_dynamics", lookahead=lambda states, t: 0.0 * states[:, 0])
    assert evaluate(infer(model, method, progress=False), model, episodes=4).executed_return < 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is wrong where there is no such device")
@pytest.mark.parametrize("model", [linear(), random_problem(0).model()], ids=["linear", "tabular"])
def test_a_device_that_is_not_there_is_named(model):
    with pytest.raises(ValueError, match="device: cannot use"):
        infer(model, SoftValueIteration(), device="cuda")


@pytest.mark.parametrize("family", [AutoDelta, AutoLaplaceApproximation])
def test_a_plan_that_is_a_point_has_no_bound(family):
    model = bounded()
    fitted = infer(model, SVI(OpenLoop(family), steps=2, particles=4), progress=False)
    assert fitted.log_evidence_bound == -math.inf
    with pytest.raises(ValueError, match="a point does not have"):
        infer(model, SVI(OpenLoop(family), steps=2, estimator="score"))


def test_autoguides_that_keep_their_last_draw_can_be_copied():
    fitted = infer(bounded(), SVI(OpenLoop(AutoIAFNormal), steps=2, particles=4), progress=False)
    assert math.isfinite(fitted.log_evidence_bound)
    with pytest.raises(ValueError, match="no site 'plan'"):
        infer(bounded(), SVI(OpenLoop(AutoGuideList), steps=2))


def test_a_prior_beyond_the_bounds_is_refused():
    wide = dist.Normal(torch.zeros(1).double(), 1.0).to_event(1)
    with pytest.raises(ValueError, match="action_prior: Independent reaches beyond the bounds"):
        TrajectoryModel(bounded().mdp, horizon=2, action_prior=wide)
    inside = dist.Uniform(-torch.ones(1).double(), torch.ones(1).double()).to_event(1)
    TrajectoryModel(bounded().mdp, horizon=2, action_prior=inside)
