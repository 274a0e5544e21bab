"""Our policies play by the ecosystem's habits."""

import gymnasium
import pytest
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from ppl_control import SimulatorMDP, TrajectoryModel
from ppl_control.policies import CategoricalMLP, SquashedGaussianMLP
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.simulation import simulate

POLICIES = {
    "CartPole-v1": CategoricalMLP(num_features=4, num_actions=2, seed=1),
    "Pendulum-v1": SquashedGaussianMLP(num_features=3, action_dim=1, low=-2.0, high=2.0, seed=1),
    "FrozenLake-v1": CategoricalMLP(num_states=16, num_actions=4, seed=1),
}


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("env_id", POLICIES)
@pytest.mark.filterwarnings("ignore:Evaluation environment is not wrapped")
def test_evaluate_policy(env_id, deterministic):
    worlds = DummyVecEnv([lambda: gymnasium.make(env_id)] * 2)
    returns, lengths = evaluate_policy(
        POLICIES[env_id], worlds, n_eval_episodes=6, deterministic=deterministic, return_episode_rewards=True
    )
    assert len(returns) == len(lengths) == 6
    with RandomStream(0):
        ours = simulate(TrajectoryModel(SimulatorMDP(env_id)), POLICIES[env_id], 6).lengths
    assert (max(lengths) == 200) == (env_id == "Pendulum-v1") == (int(ours.max()) == 200)
