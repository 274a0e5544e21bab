"""Posteriors over rewards against one that is known in closed form by quadrature, and Rust's data."""

import sys

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch

from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.inverse import BayesianIRL, LinearReward, MaxEntIRL, MLPReward
from ppl_control.models import bus_engine


def bandit(actions=2):
    return TrajectoryModel(TabularMDP([1.0], torch.ones(1, actions, 1), torch.zeros(1, actions)), horizon=1)


PULLS = [[(0, 1, 0)]] * 7 + [[(0, 0, 0)]] * 3
FEATURE = torch.tensor([[[0.0], [1.0]]])


def by_quadrature():
    """Mean and deviation of w | 7 of 10 pulls, w ~ N(0, 2), p(pull) = σ(w)."""
    w = np.linspace(-15, 15, 20001)
    log = 7 * -np.log1p(np.exp(-w)) + 3 * -np.log1p(np.exp(w)) - w**2 / 8
    p = np.exp(log - log.max())
    p /= p.sum()
    mean = (p * w).sum()
    return mean, np.sqrt((p * (w - mean) ** 2).sum())


@pytest.mark.parametrize("method", ["nuts", "svi"])
def test_posterior_is_that_of_quadrature(method):
    irl = BayesianIRL(LinearReward(FEATURE), dist.Normal(0.0, 2.0), method, samples=400, warmup=100, steps=400)
    found = irl.fit(bandit(), PULLS, progress=False)
    mean, deviation = by_quadrature()
    draws = found.samples["weights"][:, 0]
    assert draws.mean().item() == pytest.approx(mean, abs=0.15 * deviation)
    assert draws.std().item() == pytest.approx(deviation, rel=0.15)
    assert found.reward.weights.item() == pytest.approx(draws.mean().item())
    chains = 2 if method == "nuts" else 1
    assert found.posterior["weights"].shape == (chains, 400, 1)
    assert found.solution.model.mdp.outcomes.reward[0, 1].item() == pytest.approx(found.reward.weights.item())


def test_arviz_sees_names_seeds_and_divergences():
    reward = LinearReward(FEATURE, names=["pull"])
    found = BayesianIRL(reward, dist.Normal(0.0, 2.0), samples=20, warmup=20).fit(
        bandit(), PULLS, seed=3, progress=False
    )
    data = found.inference_data
    assert type(data).__name__ == "InferenceData"
    assert data.posterior["feature"].values.tolist() == ["pull"]
    assert data.sample_stats["diverging"].shape == (2, 20)
    assert data.attrs["seed"] == 3


def test_same_seed_same_draws_and_nothing_leaks():
    irl = BayesianIRL(LinearReward(FEATURE), dist.Normal(0.0, 2.0), samples=10, warmup=10, chains=1)
    before, store = torch.get_rng_state(), dict(pyro.get_param_store().items())
    one, two, three = (irl.fit(bandit(), PULLS, seed=seed, progress=False).samples["weights"] for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    assert torch.equal(before, torch.get_rng_state())
    assert dict(pyro.get_param_store().items()) == store
    assert irl.reward.weights.item() == 0.0


def test_positive_priors_and_draws_as_modules():
    prior = {"weights": dist.LogNormal(0.0, 1.0).expand([1]).to_event(1)}
    found = BayesianIRL(LinearReward(FEATURE, weights=[1.0]), prior, samples=30, warmup=30).fit(
        bandit(), PULLS, progress=False
    )
    assert (found.samples["weights"] > 0).all()
    rewards = list(found.rewards(5, seed=1))
    assert len({reward.weights.item() for reward in rewards}) > 1
    assert all(reward.weights.item() in found.samples["weights"][:, 0].tolist() for reward in rewards)


def test_networks_have_posteriors_too():
    reward = MLPReward(num_states=1, num_actions=2, sees=("action",), hidden=(4,), dtype=torch.float64)
    irl = BayesianIRL(reward, dist.Normal(0.0, 1.0), "svi", steps=40, samples=20)
    found = irl.fit(bandit(), PULLS, progress=False)
    assert {name: tuple(v.shape[1:]) for name, v in found.samples.items()} == {
        name: tuple(v.shape) for name, v in reward.named_parameters()
    }


@pytest.mark.slow
def test_bus_engines_within_one_standard_error():
    model, data = bus_engine.model(), bus_engine.demonstrations()
    best = MaxEntIRL(bus_engine.reward()).fit(model, data)
    found = BayesianIRL(best.reward, dist.Normal(0.0, 20.0), samples=400, warmup=200).fit(model, data, progress=False)
    mean = found.samples["weights"].mean(0)
    assert ((mean - best.parameters).abs() < best.standard_errors).all()
    assert not bool(found.inference_data.sample_stats["diverging"].any())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prior": 1.0}, "prior: expected a distribution"),
        ({"prior": {"weight": dist.Normal(0.0, 1.0)}}, r"prior: expected one for each of \['weights'\]"),
        ({"prior": {"weights": 3}}, "expected a distribution for weights"),
        ({"prior": dist.Normal(torch.zeros(3), 1.0)}, "does not have its shape"),
        ({"method": "hmc"}, "method"),
        ({"likelihood": "dual"}, "likelihood"),
        ({"samples": 3}, "samples"),
        ({"chains": 1.5}, "chains"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"reward": None}, "reward"),
    ],
)
def test_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        BayesianIRL(**({"reward": LinearReward(FEATURE), "prior": dist.Normal(0.0, 1.0)} | arguments))


def test_solution_is_the_soft_optimum_at_the_mean():
    found = BayesianIRL(LinearReward(FEATURE), dist.Normal(0.0, 2.0), samples=10, warmup=10).fit(
        bandit(), PULLS, progress=False
    )
    again = infer(found.solution.model, SoftValueIteration())
    assert found.solution.log_evidence_bound == again.log_evidence_bound


@pytest.mark.parametrize("method", ["nuts", "svi"])
@pytest.mark.parametrize("prior", [dist.LogNormal(0.0, 1.0), dist.HalfNormal(1.0), dist.Uniform(0.5, 2.0)], ids=repr)
def test_priors_that_rule_out_where_the_recipe_stands(method, prior):
    """Weights of 0 are on the edge of a positive prior's support, or beyond: begin at its mean."""
    irl = BayesianIRL(LinearReward(FEATURE), prior, method, samples=100, warmup=60, chains=1, steps=150)
    draws = irl.fit(bandit(), PULLS, progress=False).samples["weights"]
    assert prior.support.check(draws).all()
    assert 0.05 < draws.std() < 1.0


def test_rewards_under_which_the_posterior_diverges_explain_nothing():
    """Without a horizon luck's fixed point exists for small rewards only; chains stay there."""
    mdp = TabularMDP([1.0, 0.0], [[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]], torch.zeros(2, 2))
    model = TrajectoryModel(mdp, discount=0.8, action_prior="uniform")
    reward = LinearReward(torch.eye(2)[:, None].expand(2, 2, 2)[..., :1])
    walks = [[(0, 0, 1), (1, 1, 1)], [(0, 1, 0), (0, 0, 0)]]
    irl = BayesianIRL(reward, dist.Normal(0.0, 2.0), likelihood="trajectory", samples=5, warmup=5, chains=1)
    draws = irl.fit(model, walks, progress=False).samples["weights"]
    assert draws.isfinite().all()
    assert draws.max() < 1.0
    with pytest.raises(ValueError, match="method: without a horizon"):
        BayesianIRL(reward, dist.Normal(0.0, 2.0), "svi", "trajectory").fit(model, walks)


def test_also_where_gradients_are_switched_off():
    irl = BayesianIRL(LinearReward(FEATURE), dist.Normal(0.0, 2.0), samples=5, warmup=5, chains=1)
    with torch.no_grad():
        assert irl.fit(bandit(), PULLS, progress=False).samples["weights"].isfinite().all()


def test_a_missing_package_is_named_before_the_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(ImportError, match=r"pip install 'ppl-control\[bayesian\]'"):
        BayesianIRL(LinearReward(FEATURE), dist.Normal(0.0, 2.0), samples=10**6).fit(bandit(), PULLS, progress=False)


def test_few_draws():
    irl = BayesianIRL(LinearReward(FEATURE), dist.Normal(0.0, 2.0), samples=4, warmup=1, chains=1)
    assert irl.fit(bandit(), PULLS, progress=False).samples["weights"].shape == (4, 1)


@pytest.mark.parametrize("seed", ["a", None, 1.5, True])
def test_seeds(seed):
    with pytest.raises(ValueError, match="seed"):
        BayesianIRL(LinearReward(FEATURE), dist.Normal(0.0, 2.0)).fit(bandit(), PULLS, seed=seed)


@pytest.mark.parametrize("prior", [dist.Poisson(1.0), dist.Bernoulli(0.5)], ids=repr)
def test_discrete_priors(prior):
    with pytest.raises(ValueError, match="over real numbers"):
        BayesianIRL(LinearReward(FEATURE), prior)
