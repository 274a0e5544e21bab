"""The method's promises: settings, metrics, state and solution."""

import io
import math
import random

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from ppl_control import SimulatorMDP, TrajectoryModel, evaluate, infer, load
from ppl_control.inference.base import DivergenceError
from ppl_control.inference.checkpoint import FORMAT
from ppl_control.inference.reinforcement.policy_gradient import SoftPolicyGradient
from ppl_control.inference.stored import read_values
from ppl_control.models import linear_quadratic
from ppl_control.policies import CategoricalMLP, FlowPolicy, GaussianMLP, SquashedGaussianMLP, TabularPolicy
from tests.environments import Corridor, Drift

SMALL = {"steps": 512, "environments": 4, "rollout_length": 32, "epochs": 2, "episodes": 5, "hidden": (8,)}
MODELS = {
    "cart": TrajectoryModel(SimulatorMDP("CartPole-v1"), temperature=0.1, discount=0.99),
    "corridor": TrajectoryModel(SimulatorMDP(Corridor, limit=7), temperature=0.5, discount=0.9, action_prior="uniform"),
    "timed": TrajectoryModel(SimulatorMDP(Corridor, length=4), temperature=0.5, horizon=6),
    "drift": TrajectoryModel(SimulatorMDP(Drift), temperature=0.1, discount=0.9, action_prior="uniform"),
    "pendulum": TrajectoryModel(SimulatorMDP("Pendulum-v1"), temperature=0.1, discount=0.9),
}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps: expected an integer >= 1, got 0"),
        ({"epochs": 2.5}, "epochs: expected an integer >= 1, got 2.5"),
        ({"environments": True}, "environments: expected an integer >= 1"),
        ({"episodes": 1}, "episodes: expected an integer >= 2"),
        ({"learning_rate": -1.0}, "learning_rate: expected a finite number > 0"),
        ({"learning_rate": math.nan}, "learning_rate: expected a finite number > 0"),
        ({"clip": 0.0}, "clip: expected a number > 0"),
        ({"max_gradient_norm": -1}, "max_gradient_norm: expected a number > 0"),
        ({"gae_lambda": 1.1}, r"gae_lambda: expected a number in \[0, 1\], got 1.1"),
        ({"hidden": (64, 0)}, "hidden: expected an integer >= 1, got 0"),
        ({"policy": CategoricalMLP}, "policy: expected a module"),
        ({"steps": 10}, "environments: expected at most steps=10, got 16"),
        ({"minibatches": 5, "environments": 2, "rollout_length": 2}, "minibatches: expected at most .* = 4, got 5"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        SoftPolicyGradient(**settings)


def refused(model, method=None, **settings):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        infer(model, method or SoftPolicyGradient(**(SMALL | settings)), progress=False)
    return str(caught.value)


def test_models_that_are_not_served():
    assert "discount" in refused(MODELS["cart"].replaced(discount=1.0))
    assert "action_space" in refused(TrajectoryModel(SimulatorMDP(Drift, high=math.inf), discount=0.9))
    assert "environments" in refused(TrajectoryModel(SimulatorMDP(gymnasium.make("CartPole-v1")), discount=0.9))
    assert "policy" in refused(MODELS["cart"], policy=CategoricalMLP(3, num_features=4, dtype=torch.float32))
    assert "policy" in refused(MODELS["cart"], policy=CategoricalMLP(2, num_features=5, dtype=torch.float32))
    assert "policy" in refused(MODELS["drift"], policy=GaussianMLP(num_features=2, action_dim=2, dtype=torch.float32))
    assert "policy" in refused(MODELS["corridor"], policy=TabularPolicy(torch.zeros(5, 4, 2)))
    assert "SoftPolicyGradient" in refused(linear_quadratic.model())


@pytest.mark.parametrize("name", MODELS)
def test_a_run_from_end_to_end(name, tmp_path):
    model, method = MODELS[name], SoftPolicyGradient(**SMALL)
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    seen = []
    solution = infer(model, method, seed=3, progress=False, callbacks=[lambda step: seen.append(step.number)])
    again = infer(model, method, seed=3, progress=False)
    other = infer(model, method, seed=4, progress=False)
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])

    assert seen == [128, 256, 384, 512] == list(solution.history["step"])
    assert {len(column) for column in solution.history.values()} == {4}
    known = {"step", "temperature", "entropy", "actor_loss", "critic_loss", "kl", "clipped"}
    assert set(solution.history) == (known if name == "pendulum" else known | {"return", "bound"})  # 128 of 200 steps
    assert set(solution.history["temperature"]) == {model.temperature}
    assert solution.method == method
    assert solution.exact is False
    assert math.isfinite(solution.log_evidence_bound)
    assert solution.log_evidence_bound_stderr > 0 or name == "corridor"
    assert solution.log_evidence_bound == again.log_evidence_bound != other.log_evidence_bound

    weights, same, different = (run.policy.state_dict() for run in (solution, again, other))
    assert all(torch.equal(weights[key], same[key]) for key in weights)
    assert any(not torch.equal(weights[key], different[key]) for key in weights)
    assert all(p.dtype == torch.float32 for p in solution.policy.parameters())
    solution.save(tmp_path / "solution.pt")
    kept = load(tmp_path / "solution.pt", model)
    assert evaluate(kept, model, episodes=4).executed_return == evaluate(solution, model, episodes=4).executed_return
    observation, _ = (env := model.mdp.make(None)).reset(seed=0)
    action, _ = solution.policy.predict(observation, deterministic=True)
    assert env.action_space.contains(np.asarray(action, dtype=env.action_space.dtype))
    env.close()


def test_steps_are_never_exceeded():
    seen = []
    method = SoftPolicyGradient(**(SMALL | {"steps": 203}))
    infer(MODELS["corridor"], method, progress=False, callbacks=[lambda step: seen.append(step.number)])
    assert seen == [128, 200]


def test_an_instance_serves_one_environment_at_a_time():
    model = TrajectoryModel(SimulatorMDP(gymnasium.make("CartPole-v1")), discount=0.9)
    method = SoftPolicyGradient(**(SMALL | {"environments": 1, "steps": 128}))
    runs = [infer(model, method, progress=False) for _ in range(2)]
    assert runs[0].log_evidence_bound == runs[1].log_evidence_bound
    twin = infer(model.replaced(mdp=SimulatorMDP("CartPole-v1")), method, progress=False)
    assert twin.history["entropy"] == runs[0].history["entropy"]


def run(model, method, state):
    while not method.finished(state):
        method.step(model, state)
    state.close()
    return state.state_dict()


def assert_identical(one, other, where=""):
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_identical(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for i, (here, there) in enumerate(zip(one, other, strict=True)):
            assert_identical(here, there, f"{where}[{i}]")
    else:
        assert one == other or (one != one and other != other), where


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_a_resumed_run_is_bit_identical(name, stop):
    model, method = MODELS[name], SoftPolicyGradient(**SMALL)
    whole = run(model, method, method.init(model, 5))
    state = method.init(model, 5)
    for _ in range(stop):
        method.step(model, state)
    file = io.BytesIO()
    torch.save(state.state_dict(), file)
    method.step(model, state)  # what happens afterwards is not in the file
    state.close()
    file.seek(0)
    resumed = method.init(model, 5)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert resumed.number == stop * 128
    assert_identical(run(model, method, resumed), whole)


def test_a_checkpoint_is_resumed(tmp_path):
    model, method = MODELS["cart"], SoftPolicyGradient(**SMALL)
    path = tmp_path / "run.pt"
    infer(model, method, progress=False, checkpoint=path, callbacks=[lambda step: step.number >= 256])
    resumed = infer(model, method, progress=False, checkpoint=path)
    whole = infer(model, method, progress=False)
    assert resumed.log_evidence_bound == whole.log_evidence_bound
    assert resumed.history["step"] == whole.history["step"]


@pytest.mark.parametrize("name", ["cart", "pendulum"])
def test_a_diverging_run_stops_with_its_last_good_checkpoint(name, tmp_path):
    path = tmp_path / "run.pt"
    method = SoftPolicyGradient(**(SMALL | {"learning_rate": 10.0, "steps": 4096}))
    with pytest.raises(DivergenceError, match=r"step \d+: .* the last good state is in .*run.pt"):
        infer(MODELS[name], method, progress=False, checkpoint=path)
    kept = read_values(path, FORMAT)["state"]
    assert all(bool(weight.isfinite().all()) for part in ("policy", "value") for weight in kept[part].values())


class Broken(Drift):
    """Sooner or later the reward is no number."""

    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, math.nan if self.time == 4 else reward, *rest


def test_a_reward_that_is_no_number_is_named():
    model = TrajectoryModel(SimulatorMDP(Broken), discount=0.9)
    with pytest.raises(
        ValueError, match=r"env: .*Broken returned the reward nan at step 4 of episode 0 of environment 0"
    ):
        infer(model, SoftPolicyGradient(**SMALL), progress=False)


@pytest.mark.parametrize("recipe", ["flow", "wide"])
def test_a_policy_of_ones_own_is_copied(recipe):
    policies = {
        "flow": FlowPolicy(num_features=2, action_dim=2, low=-1.0, high=3.0, dtype=torch.float32),
        "wide": SquashedGaussianMLP(
            num_features=2, action_dim=2, low=-1.0, high=3.0, hidden=(32,), dtype=torch.float32
        ),
    }
    policy = policies[recipe]
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    solution = infer(MODELS["drift"], SoftPolicyGradient(**(SMALL | {"policy": policy})), progress=False)
    assert type(solution.policy) is type(policy)
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())
    assert any(not torch.equal(value, before[name]) for name, value in solution.policy.state_dict().items())


class Nothing(gymnasium.Env):
    """Two states, three actions, ten steps, no reward."""

    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(3)
    time = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return 0, {}

    def step(self, action):
        self.time += 1
        return self.time % 2, 0.0, False, self.time == 10, {}


@pytest.mark.parametrize("prior", ["base", "policy"])
def test_without_rewards_the_prior_is_left(prior):
    """The optimum of −α KL(π ‖ π0) is π0, the uniform policy under the base measure."""
    wanted = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
    model = TrajectoryModel(
        SimulatorMDP(Nothing), discount=0.9, action_prior=TabularPolicy(wanted.log()) if prior == "policy" else None
    )
    biased = TabularPolicy(torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))
    method = SoftPolicyGradient(
        steps=2560, environments=8, rollout_length=16, learning_rate=0.1, epochs=4, policy=biased, episodes=2
    )
    found = infer(model, method, progress=False).policy.log_table().exp()
    torch.testing.assert_close(found, wanted if prior == "policy" else torch.full((2, 3), 1 / 3), atol=0.03, rtol=0)


def test_advantages_that_are_all_alike_are_no_divergence():
    model = TrajectoryModel(SimulatorMDP("MountainCar-v0"), discount=0.9)  # every reward −1, every first value 0
    solution = infer(model, SoftPolicyGradient(**(SMALL | {"gae_lambda": 0.0})), progress=False)
    assert math.isfinite(solution.log_evidence_bound)


@pytest.mark.parametrize("seed", [-1, 2**63 - 1])
def test_any_integer_is_a_seed(seed):
    infer(MODELS["corridor"], SoftPolicyGradient(**SMALL), seed=seed, progress=False)


@pytest.mark.parametrize("seed", [1.5, None, True])
def test_anything_else_is_no_seed(seed):
    with pytest.raises(ValueError, match="seed: expected an integer"):
        infer(MODELS["corridor"], SoftPolicyGradient(**SMALL), seed=seed, progress=False)
