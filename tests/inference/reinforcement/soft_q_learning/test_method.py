"""The method's promises: settings, metrics, state and solution, in all its forms."""

import io
import math
import random

import gymnasium
import numpy as np
import pytest
import torch

from ppl_control import SimulatorMDP, SoftQLearning, TabularMDP, TrajectoryModel, infer, load
from ppl_control.models import linear_quadratic
from tests.environments import Corridor, Drift

CART = TrajectoryModel(SimulatorMDP("CartPole-v1"), temperature=0.1, discount=0.99)
SMALL = {"steps": 768, "learning_starts": 128, "batch_size": 16, "episodes": 5, "environments": 4}
NET = SMALL | {"hidden": (8,)}
LAKE = {"temperature": 0.1, "discount": 0.9, "action_prior": "uniform"}
FORMS = {
    "tables": (TrajectoryModel(TabularMDP.from_gymnasium("FrozenLake-v1"), **LAKE), {"steps": 64 * 1000}),
    "timed_tables": (
        TrajectoryModel(TabularMDP.from_gymnasium("FrozenLake-v1"), horizon=3),
        {"steps": 192 * 300, "batch_size": 1},
    ),
    "played": (TrajectoryModel(SimulatorMDP("FrozenLake-v1"), **LAKE), {"steps": 4096, "episodes": 5}),
    "timed_played": (TrajectoryModel(SimulatorMDP(Corridor, start=3), horizon=4), {"steps": 4096, "episodes": 5}),
    "network": (CART, NET),
    "one_hot": (TrajectoryModel(SimulatorMDP("FrozenLake-v1"), **LAKE), NET),
    "timed_network": (TrajectoryModel(SimulatorMDP("CartPole-v1"), horizon=20), NET),
}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps: expected an integer >= 1, got 0"),
        ({"environments": True}, "environments: expected an integer >= 1"),
        ({"batch_size": 2.5}, "batch_size: expected an integer >= 1, got 2.5"),
        ({"buffer_size": None}, "buffer_size: expected an integer >= 1, got None"),
        ({"episodes": 1}, "episodes: expected an integer >= 2"),
        ({"learning_starts": -1}, "learning_starts: expected an integer >= 0"),
        ({"learning_rate": math.nan}, "learning_rate: expected a finite number > 0"),
        ({"updates_per_step": 0.0}, "updates_per_step: expected a finite number > 0"),
        ({"target_rate": 1.5}, r"target_rate: expected a number in \(0, 1\], got 1.5"),
        ({"exploration": -0.1}, r"exploration: expected a number in \[0, 1\], got -0.1"),
        ({"loss": "l1"}, r"loss: expected one of \['huber', 'squared'\], got 'l1'"),
        ({"hidden": 64}, "hidden: expected the widths of the layers"),
        ({"hidden": (64, 0)}, "hidden: expected an integer >= 1, got 0"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        SoftQLearning(**settings)


def refused(model, **settings) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        infer(model, SoftQLearning(**settings), progress=False)
    return str(caught.value)


def test_models_that_are_not_served():
    assert "use SoftActorCritic" in refused(TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9))
    assert "use SoftActorCritic" in refused(TrajectoryModel(SimulatorMDP(Drift, high=math.inf), discount=0.9))
    assert "discount" in refused(CART.replaced(discount=1.0))
    assert "an instance serves one" in refused(
        TrajectoryModel(SimulatorMDP(gymnasium.make("CartPole-v1")), discount=0.9)
    )
    assert "SoftQLearning learns from a SimulatorMDP" in refused(linear_quadratic.model())


def test_settings_that_do_not_fit_together():
    assert "batch_size: expected at most buffer_size=100, got 256" in refused(CART, buffer_size=100)
    assert "buffer_size: expected at least environments=8" in refused(CART, buffer_size=4, batch_size=4)
    assert "learning_starts: expected less than steps=500" in refused(CART, steps=500)
    assert "environments: expected at most steps=4, got 8" in refused(CART, steps=4)


@pytest.mark.parametrize("name", FORMS)
def test_a_run_from_end_to_end(name, tmp_path):
    model, settings = FORMS[name]
    method = SoftQLearning(**settings)
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    seen = []
    solution = infer(model, method, seed=3, progress=False, callbacks=[lambda step: seen.append(step)])
    again = infer(model, method, seed=3, progress=False)
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])
    assert seen[-1].number <= method.number_of_steps(model)
    assert all(math.isfinite(value) for step in seen for value in step.metrics.values())
    assert {"temperature", "critic_loss", "bound"} <= seen[-1].metrics.keys()
    assert isinstance(seen[-1].state.policy, torch.nn.Module)
    assert {len(column) for column in solution.history.values()} == {len(seen)}
    assert solution.history["step"] == tuple(step.number for step in seen)
    assert same(solution, again)
    assert solution.exact is False
    assert solution.temperature == model.temperature
    assert (solution.soft_q is None) == (model.is_simulator and model.mdp.num_states is None)
    solution.save(tmp_path / "solution.pt")
    loaded = load(tmp_path / "solution.pt", model)
    assert same(solution, loaded)
    if model.is_simulator:
        action, _ = loaded.policy.predict(model.mdp.probe(3).numpy(), deterministic=True)
        assert action.shape == (3,)


def same(one, other) -> bool:
    here, there = one.policy.state_dict(), other.policy.state_dict()
    for name in ("soft_q", "soft_value"):
        if getattr(one, name) is not None:
            here, there = here | {name: getattr(one, name)}, there | {name: getattr(other, name)}
    return one.log_evidence_bound == other.log_evidence_bound and all(torch.equal(here[k], there[k]) for k in here)


def stored(state) -> bytes:
    file = io.BytesIO()
    torch.save(state.state_dict(), file)
    return file.getvalue()


def finished(model, method, state):
    while not method.finished(state):
        method.step(model, state)
    if hasattr(state, "close"):
        state.close()
    return method.solution(model, state)


@pytest.mark.parametrize("name", FORMS)
def test_resumed_it_ends_bit_identical(name):
    model, settings = FORMS[name]
    method = SoftQLearning(**settings)
    state = method.init(model, seed=5)
    for _ in range(2):
        method.step(model, state)
    kept = stored(state)
    whole = finished(model, method, state)
    resumed = method.init(model, seed=5)
    resumed.load_state_dict(torch.load(io.BytesIO(kept), weights_only=True))
    parts = finished(model, method, resumed)
    assert same(whole, parts)
    for column, values in whole.history.items():
        np.testing.assert_array_equal(values, parts.history[column])
    assert state.number == resumed.number


@pytest.mark.parametrize("name", ["tables", "played", "network"])
def test_another_seed_is_another_run(name):
    model, settings = FORMS[name]
    method = SoftQLearning(**settings)
    metrics = []
    for seed in (0, 1, -1):
        state = method.init(model, seed)
        metrics.append(method.step(model, state)["bound"])
        if hasattr(state, "close"):
            state.close()
    assert len(set(metrics)) == 3
