"""Whole runs: stopped and taken up again, diverging, seeds, temperatures, any policy."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from ppl_control.inference.base import DivergenceError, infer
from ppl_control.inference.checkpoint import FORMAT
from ppl_control.inference.reinforcement.soft_actor_critic import SoftActorCritic, SoftActorCriticState
from ppl_control.inference.saving import load
from ppl_control.inference.stored import read_values
from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.policies import FlowPolicy, SquashedGaussianMLP, TabularPolicy
from ppl_control.trajectory.model import TrajectoryModel
from tests.environments import Corridor, Drift

SMALL = {
    "hidden": (8,),
    "batch_size": 16,
    "learning_starts": 50,
    "learning_rate": 3e-3,
    "compile": False,
    "episodes": 2,
}


def flow() -> FlowPolicy:
    return FlowPolicy(
        num_features=2, action_dim=2, low=-1.0, high=3.0, hidden=(8,), transforms=1, bins=4, dtype=torch.float32
    )


RUNS = {
    "continuous": (lambda: Drift(limit=7), {"buffer_size": 150}),
    "fixed_temperature": (lambda: Drift(limit=7), {"temperature": "model"}),
    "side_by_side": (lambda: Drift(limit=7), {"environments": 3, "updates_per_step": 2}),
    "discrete": ("CartPole-v1", {}),
    "indexed": (lambda: Corridor(limit=9), {}),
    "flow": (lambda: Drift(limit=7), {"policy": flow(), "steps": 200}),
}


def build(name: str, **changes) -> tuple[TrajectoryModel, SoftActorCritic]:
    env, settings = RUNS[name]
    model = TrajectoryModel(SimulatorMDP(env), discount=0.9, temperature=0.5)
    return model, SoftActorCritic(**({"steps": 300} | SMALL | settings | changes))  # type: ignore[arg-type]


def run(model: TrajectoryModel, method: SoftActorCritic, state: SoftActorCriticState) -> SoftActorCriticState:
    while not method.finished(state):
        method.step(model, state)
    state.close()
    return state


def leaves(saved: object) -> Iterator[object]:
    if isinstance(saved, dict):
        for name in sorted(saved):
            yield name
            yield from leaves(saved[name])
    elif isinstance(saved, list | tuple):
        for part in saved:
            yield from leaves(part)
    else:
        yield saved


def assert_identical(one: SoftActorCriticState, other: SoftActorCriticState) -> None:
    for ours, theirs in zip(leaves(one.state_dict()), leaves(other.state_dict()), strict=True):
        if isinstance(ours, torch.Tensor):
            assert isinstance(theirs, torch.Tensor)
            assert torch.equal(ours, theirs)
        else:
            assert ours == theirs


@pytest.mark.parametrize("name", RUNS)
def test_a_run_taken_up_again_ends_bit_identical(name: str):
    model, method = build(name)
    whole = run(model, method, method.init(model, seed=3))
    stopped = method.init(model, seed=3)
    while not method.finished(stopped):
        method.step(model, stopped)
        file = io.BytesIO()
        torch.save(stopped.state_dict(), file)
        file.seek(0)
        stopped.close()
        stopped = method.init(model, seed=3)  # a fresh one, as in another process
        stopped.load_state_dict(torch.load(file, weights_only=True))
    stopped.close()
    assert whole.number >= method.steps
    assert_identical(whole, stopped)


@pytest.mark.slow
def test_a_compiled_run_taken_up_again_ends_bit_identical():
    model, method = build("continuous", compile=True)
    whole = run(model, method, method.init(model, seed=3))
    stopped = method.init(model, seed=3)
    method.step(model, stopped)
    again = method.init(model, seed=3)
    again.load_state_dict(stopped.state_dict())
    assert_identical(whole, run(model, method, again))


def test_the_seed_is_the_run_and_nothing_else_is_touched():
    model, method = build("continuous")
    random = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    one, same, other = (run(model, method, method.init(model, seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), random[0])
    assert np.random.get_state()[1].tolist() == random[1]  # noqa: NPY002
    assert_identical(one, same)
    assert not torch.equal(one.replay.rows, other.replay.rows)


def test_the_history_is_a_table():
    model, method = build("continuous")
    state = run(model, method, method.init(model, seed=0))
    assert {"step", "return", "bound", "temperature", "entropy", "critic_loss", "actor_loss"} == set(state.history)
    assert {len(column) for column in state.history.values()} == {3}
    assert state.history["step"] == [100, 200, 300]
    assert all(math.isfinite(number) for column in state.history.values() for number in column)


def test_metrics_are_left_out_until_they_are_known():
    model, method = build("continuous", learning_starts=150)
    state = method.init(model, seed=0)
    assert method.step(model, state).keys() == {"return", "bound"}
    assert method.step(model, state).keys() == {
        "return",
        "bound",
        "temperature",
        "entropy",
        "critic_loss",
        "actor_loss",
    }
    state.close()


@pytest.mark.parametrize("name", ["continuous", "discrete"])
def test_a_diverging_run_stops_before_anything_bad_is_stored(name: str, tmp_path):
    model, method = build(name, steps=100_000, learning_rate=10.0)
    with pytest.raises(DivergenceError, match=r"step \d+: .*; the last good state is in .*run\.pt"):
        infer(model, method, progress=False, checkpoint=tmp_path / "run.pt")
    kept = read_values(tmp_path / "run.pt", FORMAT)["state"]
    numbers = [leaf for leaf in leaves(kept) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    assert numbers
    assert all(bool(leaf.isfinite().all()) for leaf in numbers)


def test_steps_are_never_exceeded():
    model, method = build("side_by_side", steps=305, environments=8)
    seen = []
    infer(model, method, progress=False, callbacks=[lambda step: seen.append(step.number)])
    assert seen[-1] == 304


def test_a_solution_is_saved_and_plays(tmp_path):
    model, method = build("continuous")
    solution = infer(model, method, progress=False, seed=1)
    assert math.isfinite(solution.log_evidence_bound)
    assert solution.log_evidence_bound_stderr > 0
    assert 0 < solution.temperature != model.temperature
    assert isinstance(solution.policy, SquashedGaussianMLP)
    observation = np.zeros(2)  # as the environment gives it, float64
    action, _ = solution.policy.predict(observation, deterministic=True)
    assert model.mdp.action_space.contains(action)
    solution.save(tmp_path / "solution.pt")
    again = load(tmp_path / "solution.pt", model)
    assert again.policy is not None
    assert again.guide.model.temperature == solution.guide.model.temperature == solution.temperature
    assert np.array_equal(again.policy.predict(observation, deterministic=True)[0], action)


class Aim(gymnasium.Env):
    """One shot: r = −4 (a − s/2)² for s ~ U(−1, 1), a ∈ [−2, 2]."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.Box(-2.0, 2.0, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.place, {}

    def step(self, action):
        return self.place, -4.0 * float((action - self.place / 2).item()) ** 2, True, False, {}


AIM_ALPHA = 0.5
AIM_EVIDENCE = 0.5 * math.log(math.pi * AIM_ALPHA / 4)  # log ∫ exp(−4 (a − c)²/α) da, the box being wide


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["squashed", "flow"])
def test_the_bound_reaches_the_evidence_where_that_is_known(actor: str):
    size = {"num_features": 1, "action_dim": 1, "low": -2.0, "high": 2.0, "dtype": torch.float32}
    policy = None if actor == "squashed" else FlowPolicy(**size, hidden=(32,), transforms=1)
    model = TrajectoryModel(SimulatorMDP(Aim), discount=0.9, temperature=AIM_ALPHA)
    method = SoftActorCritic(
        steps=2500,
        policy=policy,
        hidden=(64, 64),
        batch_size=128,
        learning_rate=3e-3,
        temperature="model",
        compile=False,
        episodes=2000,
    )
    solution = infer(model, method, progress=False)
    assert solution.log_evidence_bound < AIM_EVIDENCE + 4 * solution.log_evidence_bound_stderr
    assert solution.log_evidence_bound > AIM_EVIDENCE - 0.05
    assert solution.temperature == AIM_ALPHA


def test_a_flow_learns():
    size = {"num_features": 1, "action_dim": 1, "low": -2.0, "high": 2.0, "dtype": torch.float32}
    model = TrajectoryModel(SimulatorMDP(Aim), discount=0.9, temperature=AIM_ALPHA)
    method = SoftActorCritic(
        steps=200,
        policy=FlowPolicy(**size, hidden=(16,), transforms=1, bins=4),
        hidden=(32,),
        batch_size=64,
        learning_starts=101,
        learning_rate=0.02,
        temperature="model",
        compile=False,
    )
    state = method.init(model, seed=0)
    before = method.step(model, state)["bound"]
    after = run(model, method, state).sums.metrics()["bound"]
    assert before < -4  # uniform: −E[4 (a − s/2)²]/α + log 4 is −9.9
    assert after > -2.5


def test_a_table_learns_on_finitely_many_states():
    """Corridor: walking right is all there is to do; the best policy is soft value iteration's."""
    model = TrajectoryModel(SimulatorMDP(Corridor, limit=20), discount=0.9, temperature=0.1)
    method = SoftActorCritic(
        steps=300,
        policy=TabularPolicy.uniform(4, 2),
        hidden=(16,),
        batch_size=32,
        learning_starts=20,
        learning_rate=0.05,
        target_rate=0.1,
        temperature="model",
        compile=False,
    )
    state = run(model, method, method.init(model, seed=0))
    probs = state.policy(torch.arange(3)).probs
    assert float(probs[:, 1].min()) > 0.9


def test_an_action_prior_pulls():
    """With a huge temperature the policy is its prior."""
    prior = SquashedGaussianMLP(num_features=1, action_dim=1, low=-2.0, high=2.0, hidden=(), dtype=torch.float32)
    with torch.no_grad():
        prior.network.head.bias.copy_(torch.tensor([0.5, -1.0]))
    model = TrajectoryModel(SimulatorMDP(Aim), discount=0.9, temperature=1000.0, action_prior=prior)
    method = SoftActorCritic(
        steps=300, hidden=(16,), batch_size=64, learning_starts=50, learning_rate=0.02, temperature="model", episodes=2
    )
    state = run(model, method, method.init(model, seed=0))
    with torch.no_grad():
        middle, wanted = (float(policy(torch.zeros(1)).mode) for policy in (state.policy, prior))
    assert wanted > 0.9
    assert middle == pytest.approx(wanted, abs=0.15)
