"""Behaviour cloning: the demonstrator in the limit, the prior without data, and what it refuses."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ppl_control import (
    SimulatorMDP,
    SoftValueIteration,
    Solution,
    TabularMDP,
    TrajectoryModel,
    evaluate,
    infer,
    load,
)
from ppl_control.inverse import Demonstrations
from ppl_control.inverse.cloning import BehaviourCloning
from ppl_control.inverse.cloning.frequencies import log_frequencies
from ppl_control.inverse.demonstrations.counts import expected_counts, from_decisions
from ppl_control.models import hiking, linear_quadratic, pendulum
from ppl_control.policies import (
    CategoricalMLP,
    FlowPolicy,
    GaussianMLP,
    LinearGaussianPolicy,
    SquashedGaussianMLP,
    TabularPolicy,
)
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.sampling import sample_trajectories
from tests.environments import Corridor, Drift

SHORT = BehaviourCloning(steps=200, hidden=(16,), episodes=5)


@pytest.fixture(scope="module")
def hiker() -> Solution:
    return infer(hiking.model(temperature=0.5), SoftValueIteration())


@pytest.fixture(scope="module")
def settled_hiker() -> Solution:
    """One whose policy does not depend on time."""
    return infer(hiking.model(temperature=0.5).replaced(horizon=None, discount=0.9), SoftValueIteration())


# Tables


def test_the_demonstrator_in_the_limit(hiker: Solution) -> None:
    model = hiker.model
    clone = BehaviourCloning(timed=True).fit(model, expected_counts(hiker, model, 1e12))
    assert clone.log_evidence_bound == pytest.approx(hiker.log_evidence_bound, abs=1e-6)
    seen = evaluate(hiker, model).executed_states
    assert seen is not None
    wanted, got = hiker.policy.log_table().exp(), clone.policy.log_table().exp()  # type: ignore[union-attr, operator]
    torch.testing.assert_close(got[seen[:-1] > 1e-6], wanted[seen[:-1] > 1e-6], atol=1e-5, rtol=0)


def test_the_settled_demonstrator_in_the_limit(settled_hiker: Solution) -> None:
    model = settled_hiker.model
    clone = BehaviourCloning().fit(model, expected_counts(settled_hiker, model, 1e12))
    assert clone.log_evidence_bound == pytest.approx(settled_hiker.log_evidence_bound, abs=1e-6)


def test_more_demonstrations_come_nearer(hiker: Solution) -> None:
    model = hiker.model
    method = BehaviourCloning(timed=True)
    gaps = [
        hiker.log_evidence_bound - method.fit(model, hiker.sample(n, seed=0)).log_evidence_bound
        for n in (30, 300, 3000)
    ]
    assert gaps[0] > 4 * gaps[1] > 16 * gaps[2] > 0


def test_the_answer_is_a_solution_like_others(hiker: Solution, tmp_path: Path) -> None:
    model = hiker.model
    clone = BehaviourCloning().fit(model, hiker.sample(500, seed=1))
    assert not clone.exact
    assert clone.policy(torch.tensor(11)).probs.shape == (4,)  # type: ignore[misc]
    found = evaluate(clone, model)
    assert found.optimism == pytest.approx(0, abs=1e-9)
    decisions = float(found.executed_states[:-1, ~model.tables.terminal].sum())  # type: ignore[index]
    worth = found.executed_return / model.temperature + found.entropy - decisions * math.log(4)
    assert clone.log_evidence_bound == pytest.approx(worth, abs=1e-6)
    assert clone.soft_value.shape == (14, model.mdp.num_states)  # type: ignore[union-attr]
    assert clone.sample(3, seed=2).states.shape == (3, 14)
    clone.save(tmp_path / "clone.pt")
    assert load(tmp_path / "clone.pt", model).log_evidence_bound == clone.log_evidence_bound


def test_frequencies_are_drawn_towards_the_prior() -> None:
    counts = torch.tensor([[3.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
    prior = torch.tensor([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]]).log()
    wanted = torch.tensor([[4 / 6, 2 / 6], [0.5 / 4, 3.5 / 4], [1.0, 0.0]])
    torch.testing.assert_close(log_frequencies(counts, prior, 2.0).exp(), wanted)
    plain = log_frequencies(counts, prior, 0.0).exp()
    torch.testing.assert_close(plain, torch.tensor([[0.75, 0.25], [0.0, 1.0], [1.0, 0.0]]))


def _two_rooms(prior: Any = None, horizon: int | None = 3) -> TrajectoryModel:
    stay = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
    mdp = TabularMDP([1.0, 0.0], stay, [[0.0, 1.0], [1.0, 0.0]])
    return TrajectoryModel(mdp, horizon=horizon, action_prior=prior, discount=1.0 if horizon else 0.5)


def test_counted_by_hand_at_each_time() -> None:
    walks = [[(0, 0, 0), (0, 1, 1)], [(0, 1, 1), (1, 0, 1)]]
    table = BehaviourCloning(timed=True).fit(_two_rooms("uniform"), walks).policy.log_table().exp()  # type: ignore[union-attr, operator]
    half = [0.5, 0.5]
    wanted = [[[0.5, 0.5], half], [[0.25, 0.75], [0.75, 0.25]], [half, half]]
    torch.testing.assert_close(table, torch.tensor(wanted, dtype=torch.float64))
    settled = BehaviourCloning().fit(_two_rooms(horizon=None), walks).policy.log_table().exp()  # type: ignore[union-attr, operator]
    torch.testing.assert_close(settled, torch.tensor([[1.5 / 4, 2.5 / 4], [0.75, 0.25]], dtype=torch.float64))


def test_counts_in_place_of_trajectories() -> None:
    walks = [[(0, 0, 0), (0, 1, 1)], [(0, 1, 1), (1, 0, 1)]]
    for model in (_two_rooms(), _two_rooms(horizon=None)):
        clone, other = (BehaviourCloning().fit(model, given) for given in (walks, from_decisions([[1, 2], [1, 0]])))
        assert clone.log_evidence_bound == other.log_evidence_bound
    with pytest.raises(ValueError, match=r"demonstrations: expected counts of shape \[3, 2, 2\], got \[2, 2\]"):
        BehaviourCloning(timed=True).fit(_two_rooms(), from_decisions([[1, 2], [1, 0]]))


def test_a_policy_of_ones_own_on_a_table(settled_hiker: Solution) -> None:
    model = settled_hiker.model
    recipe = CategoricalMLP(4, num_states=model.mdp.num_states, hidden=(32,))
    before = deepcopy(recipe.state_dict())
    given = settled_hiker.sample(300, seed=0)
    network = BehaviourCloning(recipe, steps=600, learning_rate=0.01).fit(model, given)
    table = BehaviourCloning().fit(model, given)
    assert network.log_evidence_bound == pytest.approx(table.log_evidence_bound, abs=1.0)
    assert network.log_evidence_bound_stderr == 0
    assert all(torch.equal(value, before[name]) for name, value in recipe.state_dict().items())
    assert {"loss", "held_out_loss"} == set(network.history)


# Simulators


class Swing(nn.Module):
    """Pumps energy until it suffices for the top, and holds it there: a demonstrator that often sits on the bounds."""

    def forward(self, state: Tensor) -> Tensor:
        cosine, sine, speed = state.unbind(-1)
        missing = 15 - (speed.square() / 2 + 15 * cosine)  # of the energy at rest on top
        hold = -(10 * torch.atan2(sine, cosine) + 2 * speed)
        return torch.where(cosine > 0.9, hold, missing * speed / 10).clamp(-2.0, 2.0)[..., None]


def _swings(episodes: int) -> Demonstrations:
    env = gymnasium.make("Pendulum-v1")
    swing, walks = Swing(), []
    for seed in range(episodes):
        state, over, steps = env.reset(seed=seed)[0], False, []
        while not over:
            action = swing(torch.as_tensor(state)).numpy()
            following, _, ended, late, _ = env.step(action)
            steps.append((state, action, following, ended))
            state, over = following, ended or late
        walks.append(steps)
    env.close()
    return Demonstrations.from_triples(walks)


def test_imitates_a_swing_up() -> None:
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.99)
    given = _swings(8)
    assert sum(int((actions.abs() == 2).sum()) for actions in given.actions) > 100  # on the bounds
    clone = BehaviourCloning(steps=1500, learning_rate=3e-3, episodes=4).fit(model, given, seed=0)
    assert isinstance(clone.policy, SquashedGaussianMLP)
    assert math.isfinite(clone.log_evidence_bound)
    assert clone.log_evidence_bound_stderr > 0
    assert clone.history["loss"][-1] < clone.history["loss"][0] - 2
    states = torch.cat([walk[:-1] for walk in _swings(12).states[8:]])  # not learned from
    with torch.no_grad():
        apart = (clone.policy(states).mode - Swing()(states)).abs()
    assert float((apart[states[:, 0] < 0]).mean()) < 0.7  # 0.4 over seeds; by likelihood alone 1.3 to 1.5
    found = evaluate(clone, model, episodes=6, deterministic=True).episode_return
    assert found > -500  # −200 to −330 over seeds; by likelihood alone −1150; the demonstrator: −220


@pytest.mark.parametrize("resolution", [0.01, 0.0])
def test_actions_on_the_bounds_cost_a_finite_number(resolution: float) -> None:
    model = TrajectoryModel(SimulatorMDP(Drift), discount=0.9)
    walk = [([0.0, 1.0], [-1.0, 3.0], [1.0, 0.0]), ([1.0, 0.0], [3.0, 3.0], [0.0, 0.0])]
    clone = BehaviourCloning(steps=20, hidden=(4,), held_out=0, resolution=resolution, episodes=2).fit(
        model, [walk] * 3
    )
    assert all(math.isfinite(loss) for loss in clone.history["loss"])
    assert math.isfinite(clone.log_evidence_bound)


def test_discrete_observations_and_actions() -> None:
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3, limit=6, start=7))
    walk = [(0, 1, 1), (1, 1, 2), (2, 1, 3)]
    clone = BehaviourCloning(steps=300, learning_rate=0.01, episodes=5).fit(model, [walk] * 20)
    assert isinstance(clone.policy, CategoricalMLP)
    assert bool((clone.policy(torch.arange(3)).probs[:, 1] > 0.95).all())
    assert evaluate(clone, model, episodes=5, deterministic=True).episode_return == -3


def test_sees_the_time_where_asked() -> None:
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3, limit=6), horizon=6)
    walk = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)]  # every second time
    clone = BehaviourCloning(timed=True, steps=1500, learning_rate=0.01, held_out=0, episodes=2).fit(model, [walk])
    assert clone.policy is not None
    probs = clone.policy(torch.tensor([0, 0, 1, 1]), torch.arange(4)).probs[:, 1]
    assert probs.round().tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r"demonstrations\[0\] step 6: the policy knows 6 times"):
        BehaviourCloning(timed=True).fit(model, [[(0, 0, 0)] * 7])


def test_stops_when_what_was_held_out_gets_worse() -> None:
    model = TrajectoryModel(SimulatorMDP(Drift), discount=0.9)
    draws = np.random.default_rng(0)
    noise = [[(draws.normal(size=2), draws.uniform(-1, 3, size=2), np.zeros(2))] for _ in range(40)]  # nothing to learn
    method = BehaviourCloning(steps=4000, patience=100, warm_up=0, learning_rate=0.01, held_out=0.25, episodes=2)
    clone = method.fit(model, noise)
    looked = clone.history["held_out_loss"]
    assert len(looked) < 4000 / 50
    best = int(np.argmin(looked))
    assert len(looked) - 1 - best == 2
    assert clone.history["loss"][-1] < clone.history["loss"][best]


def test_a_flow_and_a_solution_s_own_policy_as_recipes() -> None:
    model = TrajectoryModel(SimulatorMDP(Drift), discount=0.9)
    walks = [[([0.1 * k, 0.0], [0.5, 1.0], [0.0, 0.0])] for k in range(10)]
    flow = FlowPolicy(num_features=2, action_dim=2, low=-1.0, high=3.0, hidden=(8,), dtype=torch.float32)
    clone = BehaviourCloning(flow, steps=60, episodes=2).fit(model, walks)
    assert isinstance(clone.policy, FlowPolicy)
    further = BehaviourCloning(clone.policy, steps=60, held_out=0, episodes=2).fit(model, walks)
    assert further.history["loss"][-1] < clone.history["loss"][0]


def test_one_seed_one_answer_and_the_caller_s_stream_untouched() -> None:
    model = TrajectoryModel(SimulatorMDP(Drift), discount=0.9)
    with RandomStream(3):
        policy = GaussianMLP(num_features=2, action_dim=2, dtype=torch.float32)
        states = torch.randn(12, 2)
        walks = [[(s, policy(s).sample().clamp(-1, 3), s)] for s in states]
    before = torch.get_rng_state()
    first, second, other = (SHORT.fit(model, walks, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    assert first.history == second.history
    assert first.log_evidence_bound == second.log_evidence_bound
    assert first.history != other.history
    assert first.policy is not None
    assert not any(p.requires_grad for p in first.policy.parameters())


# Continuous worlds


def test_a_linear_gaussian_demonstrator() -> None:
    model = linear_quadratic.model(horizon=5)
    best = infer(model, SoftValueIteration())
    method = BehaviourCloning(timed=True, steps=1500, learning_rate=0.02, held_out=0)
    clone = method.fit(model, best.sample(1500, seed=0))
    assert isinstance(clone.policy, LinearGaussianPolicy)
    assert clone.log_evidence_bound_stderr == 0
    assert 0 < best.log_evidence_bound - clone.log_evidence_bound < 0.5


def test_a_differentiable_world() -> None:
    model = pendulum.model(horizon=6)
    policy = SquashedGaussianMLP(num_features=3, action_dim=1, low=-2.0, high=2.0)
    from ppl_control.guides.continuous import ContinuousGuide

    with RandomStream(0):
        given = sample_trajectories(model, ContinuousGuide(model, policy), 50)
    clone = BehaviourCloning(steps=50, hidden=(8,)).fit(model, given)
    assert isinstance(clone.policy, SquashedGaussianMLP)
    assert math.isfinite(evaluate(clone, model, episodes=50).executed_return)


# What is refused


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"policy": 3}, "policy: expected a module such as CategoricalMLP, got 3"),
        ({"pseudo_count": -1}, "pseudo_count: expected a finite number >= 0, got -1"),
        ({"pseudo_count": float("nan")}, "pseudo_count: expected a finite number >= 0, got nan"),
        ({"timed": 1}, "timed: expected True or False, got 1"),
        ({"hidden": (0,)}, "hidden: expected an integer >= 1, got 0"),
        ({"steps": 0}, "steps: expected an integer >= 1, got 0"),
        ({"batch_size": 1.5}, "batch_size: expected an integer >= 1, got 1.5"),
        ({"patience": True}, "patience: expected an integer >= 1, got True"),
        ({"episodes": 1}, "episodes: expected an integer >= 2, got 1"),
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number > 0, got 0.0"),
        ({"weight_decay": -0.1}, "weight_decay: expected a finite number >= 0, got -0.1"),
        ({"held_out": 1.0}, r"held_out: expected a number in \[0, 1\), got 1.0"),
        ({"warm_up": 1}, r"warm_up: expected a number in \[0, 1\), got 1"),
        ({"resolution": 0.25}, r"resolution: expected a number in \[0, 0.25\), got 0.25"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BehaviourCloning(**settings)


def _closed() -> TabularPolicy:
    return TabularPolicy(torch.tensor([[0.0, -torch.inf], [0.0, 0.0]], dtype=torch.float64))


def _program() -> TrajectoryModel:
    import pyro
    import pyro.distributions as dist

    def program() -> None:
        for t in range(2):
            state = pyro.sample(f"s_{t}", dist.Categorical(torch.ones(2)))
            action = pyro.sample(f"a_{t}", dist.Categorical(torch.ones(2)))
            pyro.deterministic(f"r_{t}", (state == action).double())

    return TrajectoryModel.from_program(program, horizon=2)


@pytest.mark.parametrize(
    ("method", "model", "given", "message"),
    [
        (SHORT, lambda: "Pendulum-v1", [], "model: expected a TrajectoryModel, got str"),
        (SHORT, _program, [], "model: expected one of an MDP, got a program"),
        (BehaviourCloning(timed=True), lambda: _two_rooms(horizon=None), [], "timed: the model has no horizon"),
        (SHORT, _two_rooms, [], "demonstrations: expected at least one trajectory, got none"),
        (SHORT, _two_rooms, [[(0, 2, 0)]], r"demonstrations\[0\] step 0: expected an action from 0 to 1, got 2"),
        (SHORT, _two_rooms, [[(0, 1, -1)]], r"demonstrations\[0\] step 1: expected a state from 0 to 2, got -1"),
        (
            SHORT,
            lambda: _two_rooms(_closed()),
            [[(1, 1, 0), (0, 1, 1)]],
            r"demonstrations\[0\] step 1: the model's action prior rules this action out",
        ),
        (
            SHORT,
            lambda: _two_rooms(_closed()),
            from_decisions([[0, 1], [0, 0]]),
            r"demonstrations: the model's action prior rules out the action counted at \[0, 1\]",
        ),
        (
            SHORT,
            lambda: _two_rooms(TabularPolicy(torch.arange(12.0).reshape(3, 2, 2) ** 2)),
            [[(0, 0, 0)]],
            "action_prior: the model's depends on time; clone with timed=True",
        ),
        (
            BehaviourCloning(timed=True),
            _two_rooms,
            [[(0, 0, 0)] * 4],
            r"demonstrations\[0\] step 3: the model has a horizon of 3 decisions",
        ),
        (
            BehaviourCloning(_closed()),
            _two_rooms,
            [[(1, 0, 1), (1, 1, 0), (0, 1, 1)]],
            r"demonstrations\[0\] step 2: the policy gives this action no probability",
        ),
        (BehaviourCloning(Swing()), _two_rooms, [], "policy: a Swing has no parameters to learn"),
        (BehaviourCloning(TabularPolicy.uniform(3, 2)), _two_rooms, [], "policy: expected a table of shape"),
        (
            SHORT,
            lambda: TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9),
            [[([0.0, 0.0, 0.0], [2.5], [0.0, 0.0, 0.0])]],
            r"demonstrations\[0\] step 0: expected an action between \[-2.0\] and \[2.0\], got \[2.5\]",
        ),
        (
            BehaviourCloning(GaussianMLP(num_features=3, action_dim=1, dtype=torch.float32)),
            lambda: TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9),
            [],
            "policy: it reaches beyond the bounds",
        ),
    ],
)
def test_what_does_not_fit(method: BehaviourCloning, model: Any, given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        method.fit(model(), given)


def test_where_gradients_are_switched_off() -> None:
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3, limit=6))
    with torch.no_grad():
        assert SHORT.fit(model, [[(0, 1, 1)]]).history["loss"][-1] < 0.5


def test_seed_is_an_integer() -> None:
    with pytest.raises(ValueError, match=r"seed: expected an integer, got 0.5"):
        SHORT.fit(_two_rooms(), [[(0, 0, 0)]], seed=0.5)  # type: ignore[arg-type]
