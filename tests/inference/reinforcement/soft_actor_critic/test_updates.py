"""One update, three ways: as a graph of functions, by autograd, and compiled."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from ppl_control.inference.reinforcement.soft_actor_critic import compiled
from ppl_control.inference.reinforcement.soft_actor_critic.adam import adam_eager, adam_in_graph
from ppl_control.inference.reinforcement.soft_actor_critic.compiled import choose_update
from ppl_control.inference.reinforcement.soft_actor_critic.continuous import ContinuousActions
from ppl_control.inference.reinforcement.soft_actor_critic.discrete import DiscreteActions
from ppl_control.inference.reinforcement.soft_actor_critic.learned import Group, Learned
from ppl_control.inference.reinforcement.soft_actor_critic.networks.critics import ActionCritics, StateCritics
from ppl_control.inference.reinforcement.soft_actor_critic.objectives import Objectives
from ppl_control.inference.reinforcement.soft_actor_critic.update import METRICS, Rates, eager, in_graph
from ppl_control.policies import CategoricalMLP, SquashedGaussianMLP

N, M, A, B = 3, 2, 4, 32
LOW, HIGH = torch.tensor([-2.0, 0.0]), torch.tensor([1.0, 3.0])
RATES = Rates(discount=0.9, learning_rate=1e-2, target_rate=0.05, target_entropy=0.3)
KINDS = ("continuous", "discrete", "indexed")


def problem(kind: str) -> tuple[Objectives, Learned, list[tuple[Tensor, Tensor]]]:
    """What to learn, where it starts, and six batches with their noise."""
    generator = torch.Generator().manual_seed(0)
    features = {"num_states": 5} if kind == "indexed" else {"num_features": N}
    settings = {**features, "hidden": (16, 16), "activation": "relu", "dtype": torch.float32}
    if kind == "continuous":
        policy = SquashedGaussianMLP(action_dim=M, low=LOW, high=HIGH, **settings)
        actions, critic = ContinuousActions(policy, 0.0), ActionCritics(features, LOW, HIGH, (16, 16), 0)
    else:
        policy = CategoricalMLP(A, **settings)
        actions, critic = DiscreteActions(policy, 0.0), StateCritics(features, A, (16, 16), 0)
    policy.requires_grad_(False)
    critic.requires_grad_(False)
    n, m = 1 if kind == "indexed" else N, M if kind == "continuous" else 1
    objectives = Objectives(actions, critic, [n, m, 1, 1, n], kind == "indexed")
    learned = Learned(
        Group.of(policy.network.parameters()),
        Group.of(critic.parameters()),
        [p.clone() for p in critic.parameters()],
        Group.of([torch.zeros(())]),
        torch.zeros(()),
    )

    def seen() -> Tensor:
        if kind == "indexed":
            return torch.randint(5, (B, 1), generator=generator).float()
        return torch.randn(B, N, generator=generator)

    def batch() -> tuple[Tensor, Tensor]:
        if kind == "continuous":
            action = LOW + (HIGH - LOW) * torch.rand(B, M, generator=generator)
        else:
            action = torch.randint(A, (B, 1), generator=generator).float()
        ends = (torch.rand(B, 1, generator=generator) < 0.2).float()
        rows = torch.cat([seen(), action, torch.randn(B, 1, generator=generator), ends, seen()], 1)
        return rows, torch.randn(2, B, m, generator=generator)

    return objectives, learned, [batch() for _ in range(6)]


def flat(learned: Learned) -> dict[str, Tensor]:
    parts = {"actor": learned.actor.values, "critic": learned.critic.values, "target": learned.target}
    return {name: torch.cat([v.flatten() for v in values]) for name, values in parts.items()} | {
        "temperature": learned.temperature.values[0]
    }


def assert_same(one: Learned, other: Learned, atol: float) -> None:
    ours, theirs = flat(one), flat(other)
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=atol, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_and_eager_updates_agree(kind: str):
    objectives, learned, batches = problem(kind)
    start, other = copy.deepcopy(learned), copy.deepcopy(learned)
    for rows, noise in batches:
        metrics = in_graph(objectives, RATES, learned, rows, noise)
        torch.testing.assert_close(metrics, eager(objectives, RATES, other, rows, noise), rtol=1e-4, atol=1e-4)
        assert len(metrics) == len(METRICS)
    assert_same(learned, other, atol=1e-4)  # a hundredth of one step of Adam, whose sign hangs on the last digits
    assert all(bool((flat(learned)[name] != flat(start)[name]).any()) for name in flat(learned))
    assert float(learned.count) == float(other.count) == 6


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_and_eager_updates_agree(kind: str):
    objectives, learned, batches = problem(kind)
    other = copy.deepcopy(learned)
    update = choose_update(True, torch.device("cpu"), kind, lambda: objectives, RATES)
    for rows, noise in batches:
        torch.testing.assert_close(
            update(learned, rows, noise), eager(objectives, RATES, other, rows, noise), rtol=1e-4, atol=1e-4
        )
    assert_same(learned, other, atol=1e-4)


def test_the_gradients_are_of_the_losses_and_of_nothing_else():
    """A first update, written out with torch's own optimisers and plain autograd on the policy's distributions."""
    objectives, learned, batches = problem("continuous")
    rows, noise = batches[0]
    policy = SquashedGaussianMLP(
        num_features=N, action_dim=M, low=LOW, high=HIGH, hidden=(16, 16), activation="relu", dtype=torch.float32
    )
    critic = copy.deepcopy(objectives.critic).requires_grad_(True)
    target = copy.deepcopy(critic)
    s, a, r, d, s2 = objectives.batch(rows)

    def draw(state: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        squashed = policy(state)
        normal = squashed.base_dist
        action = squashed.transforms[0](normal.mean + normal.stddev * eps)
        return action, squashed.log_prob(action)

    with torch.no_grad():
        action, log_prob = draw(s2, noise[0])
        y = r + RATES.discount * (1 - d) * (target(s2, action).amin(0) - log_prob)
    optimiser = torch.optim.Adam(critic.parameters(), lr=RATES.learning_rate)
    q = critic(s, a)
    (0.5 * ((q[0] - y) ** 2).mean() + 0.5 * ((q[1] - y) ** 2).mean()).backward()
    optimiser.step()
    optimiser = torch.optim.Adam(policy.parameters(), lr=RATES.learning_rate)
    action, log_prob = draw(s, noise[1])
    (log_prob - critic(s, action).amin(0)).mean().backward()
    optimiser.step()

    in_graph(objectives, RATES, learned, rows, noise)
    for ours, theirs in zip(learned.actor.values, policy.network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-3, atol=1e-4)
    for ours, theirs in zip(learned.critic.values, critic.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-3, atol=1e-4)
    for ours, new, old in zip(learned.target, critic.parameters(), target.parameters(), strict=True):
        expected = (1 - RATES.target_rate) * old.detach() + RATES.target_rate * new.detach()
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)
    # log α starts at 0 and the first step of Adam is the learning rate, against the slope H − H̄.
    downwards = -float(log_prob.detach().mean()) > RATES.target_entropy
    step = -RATES.learning_rate if downwards else RATES.learning_rate
    assert float(learned.temperature.values[0]) == pytest.approx(step, rel=1e-4)


def test_adam_is_torchs():
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(7, generator=generator)
    groups = [Group.of([value.clone()]) for _ in range(2)]
    parameter = torch.nn.Parameter(value.clone())
    optimiser = torch.optim.Adam([parameter], lr=0.01)
    for k in range(1, 20):
        gradient = torch.randn(7, generator=generator)
        parameter.grad = gradient
        optimiser.step()
        adam_in_graph(groups[0], [gradient], torch.tensor(float(k)), 0.01)
        adam_eager(groups[1], [gradient], torch.tensor(float(k)), 0.01)
    for group in groups:
        torch.testing.assert_close(group.values[0], parameter.detach(), rtol=1e-5, atol=1e-6)


def test_a_fixed_temperature_stays():
    objectives, learned, batches = problem("continuous")
    for rows, noise in batches:
        in_graph(objectives, Rates(0.9, 1e-2, 0.05, None), learned, rows, noise)
        eager(objectives, Rates(0.9, 1e-2, 0.05, None), learned, rows, noise)
    assert float(learned.temperature.values[0]) == 0.0


def test_without_a_compiler_there_is_a_warning_and_the_update_runs(monkeypatch):
    monkeypatch.setattr(compiled, "has_compiler", lambda device: False)
    objectives, learned, batches = problem("continuous")
    with pytest.warns(UserWarning, match=r"no C\+\+ compiler"):
        update = choose_update(None, torch.device("cpu"), "none", lambda: objectives, RATES)
    assert bool(update(learned, *batches[0]).isfinite().all())


def test_no_warning_where_it_was_asked_for():
    objectives, learned, batches = problem("continuous")
    update = choose_update(False, torch.device("cpu"), "none", lambda: objectives, RATES)
    assert bool(update(learned, *batches[0]).isfinite().all())


def test_a_compiler_that_fails_is_a_warning_unless_asked_for(monkeypatch):
    def failing(function, **settings):
        def graph(*inputs):
            raise RuntimeError("no such header\nand more")

        return graph

    monkeypatch.setattr(torch, "compile", failing)
    monkeypatch.setattr(compiled, "has_compiler", lambda device: True)
    monkeypatch.setattr(compiled, "_graphs", {})
    objectives, learned, batches = problem("continuous")
    other = copy.deepcopy(learned)
    update = choose_update(None, torch.device("cpu"), "failing", lambda: objectives, RATES)
    with pytest.warns(UserWarning, match="no such header"):
        update(learned, *batches[0])
    update(learned, *batches[1])  # and no second warning
    for rows, noise in batches[:2]:
        eager(objectives, RATES, other, rows, noise)
    assert_same(learned, other, atol=0)
    required = choose_update(True, torch.device("cpu"), "failing", lambda: objectives, RATES)
    with pytest.raises(RuntimeError, match="no such header"):
        required(learned, *batches[0])


def test_runs_of_one_shape_share_a_graph(monkeypatch):
    made = []
    monkeypatch.setattr(torch, "compile", lambda function, **settings: made.append(function) or function)
    monkeypatch.setattr(compiled, "_graphs", {})
    objectives, _, _ = problem("continuous")
    for shape in ("one", "one", "other"):
        choose_update(True, torch.device("cpu"), shape, lambda: objectives, RATES)
    assert len(made) == 2
    assert made[0].__code__ is not made[1].__code__  # torch.compile counts compilations by code object
