"""Worlds of ours as gymnasium environments."""

import pkgutil

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import ppl_control.models  # registers them
from ppl_control import SimulatorMDP, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from ppl_control.mdp import MDPEnvironment
from ppl_control.models import hiking, linear_quadratic
from ppl_control.policies import Deterministic
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.simulation import simulate

OURS = sorted(name for name in gymnasium.registry if name.startswith("ppl_control/"))


def test_every_worked_problem_is_registered():
    names = [module.name for module in pkgutil.iter_modules(ppl_control.models.__path__)]
    assert sorted(f"ppl_control/{name.title().replace('_', '')}-v0" for name in names) == OURS
    assert {"ppl_control/Hiking-v0", "ppl_control/NarrowBridge-v0"} <= set(OURS)


@pytest.mark.parametrize("env_id", OURS)
@pytest.mark.filterwarnings(
    "ignore:.*A Box observation space.*", "ignore:.*A Box action space.*", "ignore:.*For Box action spaces.*"
)
def test_gymnasium_is_content(env_id):
    check_env(gymnasium.make(env_id).unwrapped, skip_render_check=True)


def test_the_policy_gets_there_what_it_gets_in_the_tables():
    model = hiking.model()
    solution = infer(model, SoftValueIteration())
    played = TrajectoryModel(SimulatorMDP("ppl_control/Hiking-v0"))
    with RandomStream(0):
        found = simulate(played, solution.policy, 2000).returns
    exact = evaluate(solution, model).executed_return
    assert abs(found.mean() - exact) < 4 * found.std() / len(found) ** 0.5
    assert found.std() > 0


def test_vectors_and_their_final_reward():
    model = linear_quadratic.model()
    solution = infer(model, SoftValueIteration())
    played = TrajectoryModel(SimulatorMDP("ppl_control/LinearQuadratic-v0"))
    policy = Deterministic(solution.policy)
    with RandomStream(0):
        found = simulate(played, policy, 400)
    assert found.lengths.tolist() == [model.horizon] * 400
    exact = evaluate(solution, model, deterministic=True)
    spread = float(found.returns.std()) / 20
    assert abs(found.returns.mean() - exact.executed_return) < 4 * np.hypot(spread, exact.executed_return_stderr)


def test_settings_travel():
    env = gymnasium.make("ppl_control/Hiking-v0", noise=0.0, horizon=4).unwrapped
    assert isinstance(env, MDPEnvironment)
    assert env.horizon == 4


def test_done_terminates_and_the_horizon_truncates():
    mdp = TabularMDP.from_outcomes([[[(1.0, 0, 1.0, False)], [(1.0, 0, 5.0, True)]]], [1.0])
    env = MDPEnvironment(mdp, horizon=2)
    env.reset(seed=0)
    assert [env.step(0)[1:4] for _ in range(2)] == [(1.0, False, False), (1.0, False, True)]
    env.reset()
    assert env.step(1)[1:4] == (5.0, True, False)


def test_bad_use():
    with pytest.raises(ValueError, match="mdp: expected a TabularMDP"):
        MDPEnvironment("hiking")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="horizon: expected an integer >= 1"):
        MDPEnvironment(hiking.mdp(), horizon=0)
    env = MDPEnvironment(hiking.mdp())
    with pytest.raises(ValueError, match="call reset first"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action: expected 0 … 3, got 4"):
        env.step(4)
    plane = MDPEnvironment(linear_quadratic.model().mdp)
    plane.reset(seed=0)
    with pytest.raises(ValueError, match=r"action: expected shape \(1,\), got \(2,\)"):
        plane.step(np.zeros(2))


def test_the_random_state_is_left_alone():
    before = torch.get_rng_state()
    env = MDPEnvironment(linear_quadratic.model().mdp)
    env.reset(seed=0)
    env.step(np.zeros(1))
    assert torch.equal(torch.get_rng_state(), before)
