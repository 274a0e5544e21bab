"""The whole game, in the small."""

import pytest
import torch

from ppl_control import SimulatorMDP, SoftActorCritic, SoftPolicyGradient, SoftQLearning, TrajectoryModel, evaluate
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.inverse import MLPReward, TabularReward
from ppl_control.inverse.sampled import SampledMaxEntIRL
from ppl_control.policies import SquashedGaussianMLP
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.sampling import sample_trajectories
from tests.environments import Corridor, Drift

SMALL = {"hidden": (8,), "batch_size": 16, "learning_starts": 50, "episodes": 2}
SAC = SoftActorCritic(steps=300, temperature="model", compile=False, **SMALL)
GAME = {"rounds": 3, "episodes": 2, "tries": 20, "memory": 2}
DRIFT = TrajectoryModel(SimulatorMDP(Drift), discount=0.9)
CORRIDOR = TrajectoryModel(SimulatorMDP(Corridor, limit=8), discount=0.9, temperature=0.5)
RIGHT = [[(0, 1, 1, False), (1, 1, 2, False), (2, 1, 3, True)]] * 2


def drifting(n=2):
    policy = SquashedGaussianMLP(num_features=2, action_dim=2, low=-1.0, high=3.0, seed=1)
    with RandomStream(0):
        return sample_trajectories(DRIFT, SimulatorGuide(DRIFT, policy), n)


@pytest.mark.parametrize("form", ["importance", "adversarial"])
@pytest.mark.parametrize("temperature", ["model", "learned"])
def test_continuous(form, temperature):
    reward = MLPReward(state_dim=2, action_dim=2, hidden=(8,))
    recipe = {name: value.clone() for name, value in reward.state_dict().items()}
    shaping = MLPReward(state_dim=2, sees="state", hidden=(4,)) if form == "adversarial" else None
    agent = SoftActorCritic(steps=300, temperature=temperature, compile=False, **SMALL)
    method = SampledMaxEntIRL(reward, agent, form, shaping=shaping, l2=1e-3, batch_size=7, **GAME)
    state = torch.get_rng_state()
    fit, again = (method.fit(DRIFT, drifting(), seed=4, progress=False) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(recipe[name], value) for name, value in reward.state_dict().items())
    assert fit.history == again.history
    for name, value in fit.reward.state_dict().items():
        assert torch.equal(value, again.reward.state_dict()[name])
    other = method.fit(DRIFT, drifting(), seed=5, progress=False)
    assert other.history != fit.history
    assert not torch.equal(fit.reward.network[-1].weight, recipe["network.2.weight"])
    assert fit.rounds == 3
    assert not fit.converged
    assert {len(column) for column in fit.history.values()} == {3}
    assert all(moved <= 0.5 + 1e-4 for moved in fit.history["moved"])
    assert not any(p.requires_grad for p in fit.reward.parameters())


def test_a_learned_reward_is_learned_on():
    agent = SoftQLearning(steps=300, hidden=(8,), batch_size=16, learning_starts=50, episodes=2)
    settings = GAME | {"rounds": 2}
    first = SampledMaxEntIRL(TabularReward(4, 2, "state"), agent, **settings).fit(CORRIDOR, RIGHT, progress=False)
    kept = {name: value.clone() for name, value in first.reward.state_dict().items()}
    again = SampledMaxEntIRL(first.reward, agent, **settings).fit(CORRIDOR, RIGHT, progress=False)
    assert any(not torch.equal(kept[name], value) for name, value in again.reward.state_dict().items())
    assert all(torch.equal(kept[name], value) for name, value in first.reward.state_dict().items())


def test_the_solution_is_of_the_learned_reward():
    fit = SampledMaxEntIRL(MLPReward(state_dim=2, action_dim=2), SAC, **GAME).fit(DRIFT, drifting(), progress=False)
    model = fit.solution.model
    assert model.fingerprint == DRIFT.replaced(mdp=DRIFT.mdp.with_reward(fit.reward)).fingerprint
    drawn = fit.solution.sample(1)
    paid = fit.reward(drawn.states[0, :-1], drawn.actions[0], drawn.states[0, 1:])
    torch.testing.assert_close(drawn.rewards[0].float(), paid)
    assert evaluate(fit.solution, DRIFT, episodes=2).executed_return < 0


@pytest.mark.parametrize(
    "agent",
    [
        SAC,
        SoftPolicyGradient(steps=256, environments=2, rollout_length=32, epochs=1, hidden=(8,), episodes=2),
        SoftQLearning(steps=600, environments=2, episodes=2),
        SoftQLearning(steps=600, environments=2, **SMALL),
    ],
    ids=["actor_critic", "policy_gradient", "table", "network"],
)
@pytest.mark.parametrize("form", ["importance", "adversarial"])
def test_agents_with_finitely_many_states_and_actions(agent, form):
    fit = SampledMaxEntIRL(TabularReward(4, 2, of="outcome"), agent, form, **GAME).fit(CORRIDOR, RIGHT, progress=False)
    assert fit.rounds == 3
    assert fit.reward.table[0, 1, 1] > fit.reward.table[0, 0, 0]
    assert fit.solution.model.mdp.reward is not None


@pytest.mark.parametrize("agent", [SAC, SoftQLearning(steps=300, environments=1, episodes=2)])
def test_an_instance_serves_agent_and_comparison_in_turn(agent):
    model = CORRIDOR.replaced(mdp=SimulatorMDP(Corridor(limit=8)))
    fit = SampledMaxEntIRL(TabularReward(4, 2, of="outcome"), agent, **GAME).fit(model, RIGHT, progress=False)
    assert fit.reward.table[0, 1, 1] > fit.reward.table[0, 0, 0]
    assert evaluate(fit.solution, model, episodes=2).executed_return < 0


def test_the_way_to_the_end_is_learned():
    agent = SoftQLearning(steps=8000, environments=4, episodes=20)
    reward = MLPReward(num_states=4, num_actions=2, sees=("state", "next_state"), hidden=(16,))
    method = SampledMaxEntIRL(reward, agent, rounds=40, episodes=6, tries=10)
    fit = method.fit(CORRIDOR, RIGHT, progress=False)
    assert evaluate(fit.solution, CORRIDOR, episodes=20, deterministic=True).episode_return == -3


def test_a_callback_ends_it():
    seen = []

    def stop(step):
        seen.append((step.number, step.state.number))
        return step.number == 2

    fit = SampledMaxEntIRL(TabularReward(4, 2), SAC, **GAME).fit(CORRIDOR, RIGHT, progress=False, callbacks=[stop])
    assert seen == [(1, 1), (2, 2)]
    assert fit.rounds == 2
