"""Ctrl-C ends a fit of a reward with what it has."""

import signal
from pathlib import Path

import pyro.distributions as dist
import pytest
import torch

from ppl_control import SimulatorMDP, SoftActorCritic, SoftPolicyGradient, SoftValueIteration, TrajectoryModel, infer
from ppl_control.inverse import (
    BayesianIRL,
    BehaviourCloning,
    MaxEntIRL,
    MLPReward,
    RewardPosterior,
    SampledFit,
    SampledMaxEntIRL,
    TabularReward,
)
from ppl_control.models import bus_engine, hiking
from ppl_control.policies import CategoricalMLP
from tests.campaigns.fits import bits
from tests.interrupting import at_step, pressing

HIKE = hiking.model()
WALKS = infer(HIKE, SoftValueIteration()).sample(50, seed=1)


@pytest.mark.parametrize(
    ("model", "reward", "walks"),
    [
        (bus_engine.model(), bus_engine.reward(), bus_engine.demonstrations()),
        (HIKE, MLPReward(num_states=25, num_actions=4, hidden=(8,), dtype=torch.float64), WALKS),
    ],
    ids=["Newton", "L-BFGS"],
)
def test_an_exact_ascent(model, reward, walks, monkeypatch):
    from ppl_control.inverse.exact import max_ent

    whole = MaxEntIRL(reward, steps=30).fit(model, walks)
    assert whole.finished
    with monkeypatch.context() as patched:
        pressing(patched, max_ent, "_evaluated", 3)
        part = MaxEntIRL(reward, steps=30).fit(model, walks)
    assert (part.finished, part.converged) == (False, False)
    assert "unfinished" in repr(part)
    assert part.evaluations < whole.evaluations
    assert part.log_likelihood > MaxEntIRL(reward, steps=1).fit(model, walks).log_likelihood - 1e-9
    assert MaxEntIRL(part.reward, steps=30).fit(model, walks).log_likelihood > part.log_likelihood
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_cloning(monkeypatch):
    from ppl_control.inverse.cloning import likelihood

    method = BehaviourCloning(CategoricalMLP(4, num_states=25, hidden=(8,)), steps=200)
    with monkeypatch.context() as patched:
        pressing(patched, likelihood, "_batch", 120)
        part = method.fit(HIKE, WALKS)
    assert not part.finished
    assert len(part.history["loss"]) == 2
    assert method.fit(HIKE, WALKS).finished


CHAINS = BayesianIRL(TabularReward(25, 4, "state"), dist.Normal(0.0, 1.0), samples=5, warmup=3, chains=2)


@pytest.fixture(scope="module")
def chains() -> RewardPosterior:
    """Chains that nobody disturbed."""
    return CHAINS.fit(HIKE, WALKS, progress=False)


@pytest.mark.parametrize(("transition", "draws"), [(13, 5), (7, 4)], ids=["in the second chain", "in the first"])
def test_chains(transition: int, draws: int, chains: RewardPosterior, monkeypatch, tmp_path):
    """The chains before; of the first one the draws since its warm-up; the same call goes on."""
    from pyro.infer import NUTS

    whole = chains
    with monkeypatch.context() as patched:
        pressing(patched, NUTS, "sample", transition)
        part = CHAINS.fit(HIKE, WALKS, progress=False, checkpoint=tmp_path / "run.pt")
    assert (part.finished, whole.finished) == (False, True)
    assert "unfinished" in repr(part)
    found = part.posterior["table"].values
    assert found.shape[:2] == (1, draws)
    assert (found == whole.posterior["table"].values[:1, :draws]).all()
    again = CHAINS.fit(HIKE, WALKS, progress=False, checkpoint=tmp_path / "run.pt")
    assert again.finished
    assert dict(bits(again)) == dict(bits(whole))


def test_a_chain_without_draws_has_nothing_to_answer(monkeypatch):
    from pyro.infer import NUTS

    pressing(monkeypatch, NUTS, "sample", 5)
    with pytest.raises(KeyboardInterrupt, match="before there were 4 draws"):
        CHAINS.fit(HIKE, WALKS, progress=False)


def test_a_gaussian(monkeypatch):
    from pyro.infer import SVI

    method = BayesianIRL(TabularReward(25, 4, "state"), dist.Normal(0.0, 1.0), "svi", steps=20, samples=10)
    with monkeypatch.context() as patched:
        pressing(patched, SVI, "step", 6)
        part = method.fit(HIKE, WALKS, progress=False)
    assert not part.finished
    assert len(part.history["bound"]) == 6
    assert method.fit(HIKE, WALKS, progress=False).finished
    with pytest.raises(ValueError, match=r"checkpoint: .*'nuts'"):
        method.fit(HIKE, WALKS, checkpoint="never.pt")


CART = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.99, temperature=0.1)
AGENT = SoftActorCritic(
    steps=400, hidden=(8,), batch_size=8, temperature="model", learning_starts=16, compile=False, episodes=2
)
SAMPLED = SampledMaxEntIRL(MLPReward(state_dim=4, num_actions=2, hidden=(8,)), agent=AGENT, rounds=3, episodes=2,
                           tries=10, reward_updates=2)  # fmt: skip
PLAYED = infer(CART, SoftPolicyGradient(steps=16, episodes=2), progress=False).sample(3)


@pytest.fixture(scope="module")
def whole() -> SampledFit:
    """A game that nobody disturbed."""
    return SAMPLED.fit(CART, PLAYED, progress=False)


def test_a_reward_by_simulation(whole: SampledFit, tmp_path: Path):
    part = SAMPLED.fit(CART, PLAYED, progress=False, checkpoint=tmp_path / "run.pt", callbacks=[at_step(2)])
    assert (whole.finished, whole.solution.finished) == (True, True)
    assert (part.finished, part.solution.finished, part.rounds) == (False, False, 2)
    assert "unfinished" in repr(part)
    again = SAMPLED.fit(CART, PLAYED, progress=False, checkpoint=tmp_path / "run.pt")
    assert dict(bits(again)) == dict(bits(whole))


@pytest.mark.parametrize("at", [1, 3], ids=["in the first round", "in the last"])
def test_it_also_ends_between_two_steps_of_the_agent(at: int, whole: SampledFit, monkeypatch, tmp_path: Path):
    with monkeypatch.context() as patched:
        pressing(patched, SoftActorCritic, "step", at)
        part = SAMPLED.fit(CART, PLAYED, progress=False, checkpoint=tmp_path / "run.pt")
    assert not part.finished
    again = SAMPLED.fit(CART, PLAYED, progress=False, checkpoint=tmp_path / "run.pt")
    assert dict(bits(again)) == dict(bits(whole))


def test_a_checkpoint_of_other_demonstrations_or_rewards_is_refused(tmp_path: Path):
    path = tmp_path / "run.pt"
    SAMPLED.fit(CART, PLAYED, progress=False, checkpoint=path)
    other = infer(CART, SoftPolicyGradient(steps=16, episodes=2), progress=False).sample(3, seed=9)
    with pytest.raises(ValueError, match="demonstrations was"):
        SAMPLED.fit(CART, other, progress=False, checkpoint=path)
    reward = MLPReward(state_dim=4, num_actions=2, hidden=(8,), seed=1)
    changed = SampledMaxEntIRL(reward, agent=AGENT, rounds=3, episodes=2, tries=10, reward_updates=2)
    with pytest.raises(ValueError, match="reward was"):
        changed.fit(CART, PLAYED, progress=False, checkpoint=path)
