"""The pendulum against gymnasium's own."""

import math

import gymnasium
import numpy as np
import pytest
import torch

from ppl_control import SVI, guides, infer
from ppl_control.models import pendulum

CASES = [(0.3, 0.5, 1.0), (3.0, -7.9, -2.0), (math.pi, 0.0, 0.0), (-2.0, 7.9, 2.0), (0.0, 0.0, -0.7), (1.5, 4.0, 2.0)]


@pytest.fixture
def env():
    env = gymnasium.make("Pendulum-v1")
    env.reset(seed=0)
    yield env
    env.close()


def observed(angle: float, speed: float) -> torch.Tensor:
    return torch.tensor([math.cos(angle), math.sin(angle), speed], dtype=torch.float64)


@pytest.mark.parametrize(("angle", "speed", "torque"), CASES)
def test_one_step_is_gymnasium_s(env, angle, speed, torque):
    """Speeds that are clipped included; the environment's own state has all its digits."""
    real = env.unwrapped
    real.state = np.array([angle, speed])
    _, reward, *_ = real.step(np.array([torque]))
    mdp, state, action = pendulum.mdp(), observed(angle, speed), torch.tensor([torque], dtype=torch.float64)
    belief = mdp.transition(state, action)
    torch.testing.assert_close(belief.mean, observed(*real.state), rtol=0, atol=1e-12)
    assert float(mdp.reward(state, action, belief.mean)) == pytest.approx(reward, abs=1e-12)


def test_an_episode_is_gymnasium_s(env):
    """A whole episode of random torques, with almost no noise."""
    generator = np.random.default_rng(0)
    mdp = pendulum.mdp(noise=1e-12)
    env.unwrapped.state = np.array([math.pi - 0.1, 0.5])
    state, total, real_total = observed(math.pi - 0.1, 0.5), 0.0, 0.0
    for torque in generator.uniform(-2, 2, 60):
        action = torch.tensor([torque])
        following = mdp.transition(state, action).sample()
        total += float(mdp.reward(state, action, following))
        observation, reward, *_ = env.step(np.array([torque]))
        real_total += float(reward)
        np.testing.assert_allclose(following.numpy(), observation, atol=1e-5)  # float32
        state = following
    assert total == pytest.approx(real_total, abs=1e-6)


def test_states_off_the_circle_count_by_their_angle():
    mdp, action = pendulum.mdp(), torch.tensor([0.5]).double()
    on = observed(2.0, 1.0)
    off = on * torch.tensor([1.2, 1.2, 1.0])
    torch.testing.assert_close(mdp.transition(off, action).mean, mdp.transition(on, action).mean)
    torch.testing.assert_close(mdp.reward(off, action, off), mdp.reward(on, action, on))


@pytest.mark.parametrize(("start", "angle"), [("hanging", math.pi), ("upright", 0.0), (0.7, 0.7)])
def test_starts(start, angle):
    torch.testing.assert_close(pendulum.mdp(start=start).initial().mean, observed(angle, 0.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "sideways"}, r"start: expected one of \['hanging', 'upright'\] or an angle in radians"),
        ({"start": math.nan}, "start: expected"),
        ({"noise": 0.0}, "noise: expected a number > 0, got 0.0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        pendulum.model(**settings)


def test_plans_and_policies_run_in_the_real_environment(env):
    model = pendulum.model(horizon=3)
    plan = infer(model, SVI(guides.OpenLoop(), steps=1, particles=4), progress=False).sample_plan(1)[0]
    for action in plan.detach().numpy():
        assert env.action_space.contains(action.astype(np.float32))
        observation, *_ = env.step(action)
    policy = infer(model, SVI(guides.FixedDynamics(), steps=1, particles=4), progress=False).policy
    observation, _ = env.reset(seed=1)
    time = None
    for _ in range(3):
        action, time = policy.predict(observation, time, deterministic=True)
        assert env.action_space.contains(action.astype(np.float32))
        observation, *_ = env.step(action)


@pytest.mark.slow
def test_an_open_loop_plan_swings_the_real_pendulum_up(env):
    model = pendulum.model()
    solution = infer(model, SVI(guides.OpenLoop(), steps=300, particles=32), progress=False)
    env.unwrapped.state = np.array([math.pi, 0.0])
    heights = []
    for action in solution.sample_plan(1)[0].numpy():
        observation, *_ = env.step(action)
        heights.append(observation[0])
    assert max(heights) > 0.9  # cos θ
