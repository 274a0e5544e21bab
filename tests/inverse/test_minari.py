"""Minari's datasets: ours written and read back, and one that Minari itself recorded."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import minari
import numpy as np
import pytest
import torch
from gymnasium import spaces

from ppl_control import SimulatorMDP, TrajectoryModel
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.inverse import Demonstrations
from ppl_control.inverse.demonstrations.minari import from_minari, is_dataset, to_minari
from ppl_control.inverse.demonstrations.reading import as_demonstrations
from ppl_control.policies import TabularPolicy
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.sampling import sample_trajectories
from tests.environments import Corridor, Drift


@pytest.fixture(autouse=True)
def local_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def _same(first: Demonstrations, second: Demonstrations) -> None:
    assert len(first) == len(second)
    for mine, read in zip((*first.states, *first.actions), (*second.states, *second.actions), strict=True):
        torch.testing.assert_close(read, mine)


def _pendulum(lengths: tuple[int, ...] = (4, 2), ended: tuple[bool | None, ...] = (False, None)) -> Demonstrations:
    draws = torch.Generator().manual_seed(0)
    return Demonstrations(
        [torch.randn(n + 1, 3, generator=draws) for n in lengths],
        [torch.rand(n, 1, generator=draws) for n in lengths],
        ended,
    )


def test_vectors_written_and_read_back() -> None:
    given, mdp = _pendulum(), SimulatorMDP("Pendulum-v1", g=9.81)
    written = given.to_minari(
        mdp,
        "pendulum/expert-v0",
        algorithm_name="by hand",
        author="A. Author",
        author_email="a@example.org",
        code_permalink="https://example.org",
        description="two swings",
    )
    for read in (Demonstrations.from_minari("pendulum/expert-v0"), as_demonstrations(written)):
        _same(given, read)
        assert read.terminated == (False, False)
        assert read.states[0].dtype == torch.float32
    kept: Any = minari.load_dataset("pendulum/expert-v0")
    assert kept.spec.env_spec.id == "Pendulum-v1"
    assert kept.spec.env_spec.kwargs == {"g": 9.81}
    assert kept.storage.metadata["algorithm_name"] == "by hand"
    assert kept.observation_space == mdp.observation_space
    episode = kept[0]
    assert np.isnan(episode.rewards).all()
    assert episode.truncations.tolist() == [False, False, False, True]
    assert not episode.terminations.any()


def test_indices_count_from_0_and_are_written_in_the_space_s_own_terms() -> None:
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3, limit=5, start=7))
    with RandomStream(0):
        sampled = sample_trajectories(model, SimulatorGuide(model, TabularPolicy.uniform(4, 2)), 12)
    given = Demonstrations.from_trajectories(sampled, survival_drawn=False)
    ended = tuple(int(states[-1]) == 3 for states in given.states)
    assert set(ended) == {True, False}
    given = Demonstrations(given.states, given.actions, ended)
    written = to_minari(given, model.mdp, "corridor-v0")
    assert min(int(episode.observations[0]) for episode in written.iterate_episodes()) == 7
    assert {int(a) for episode in written.iterate_episodes() for a in episode.actions} == {7, 8}
    read = from_minari("corridor-v0")
    _same(given, read)
    assert read.terminated == ended
    assert written.spec.env_spec is None  # a function of ours cannot be made again from its name


def test_an_instance_is_given_back() -> None:
    mdp = SimulatorMDP(Drift())
    given = Demonstrations([torch.zeros(2, 2)], [torch.ones(1, 2)], [True])
    written = given.to_minari(mdp, "drift-v0")
    assert from_minari(written).terminated == (True,)
    mdp.give_back(mdp.make(given))
    other = SimulatorMDP("Pendulum-v1").with_reward(lambda state, action, following: action[:, 0])
    assert _pendulum().to_minari(other, "other-v0").spec.env_spec is None  # another reward is another world


def _stand_in_for_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minari's recorder asks JAX for ``tree_map``; for arrays and empty dicts that is one line."""
    jax, tree = ModuleType("jax"), ModuleType("jax.tree_util")
    tree.tree_map = lambda f, first, *rest: first if isinstance(first, dict) else f(first, *rest)  # type: ignore[attr-defined]
    jax.tree_util = tree  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "jax.tree_util", tree)


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # the recorder's temporary folder
@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Taxi-v4"])
def test_recorded_by_minari(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in_for_jax(monkeypatch)
    env = minari.DataCollector(gymnasium.make(name, max_episode_steps=12))
    env.action_space.seed(0)
    seen: list[list[Any]] = []
    ends = []
    for seed in range(3):
        seen.append([env.reset(seed=seed)[0]])
        over = False
        while not over:
            state, _, terminated, truncated, _ = env.step(env.action_space.sample())
            seen[-1].append(state)
            over = terminated or truncated
        ends.append(terminated)
    about = dict.fromkeys(("algorithm_name", "author", "author_email", "code_permalink", "description"), "none")
    dataset = env.create_dataset(f"{name.split('-')[0]}/random-v0", eval_env=name, **about)
    env.close()
    del env
    gc.collect()
    given = as_demonstrations(dataset)
    assert given.terminated == tuple(ends)
    for states, rows in zip(given.states, seen, strict=True):
        np.testing.assert_array_equal(states.numpy(), np.stack(rows))
    (some,) = as_demonstrations(dataset.filter_episodes(lambda episode: episode.id == 1)).states
    assert torch.equal(some, given.states[1])


def test_images_and_dicts_are_refused() -> None:
    class Dataset:
        observation_space = spaces.Dict({"place": spaces.Discrete(3)})
        action_space = spaces.Discrete(2)

        def iterate_episodes(self) -> Any:
            return iter([type("Episode", (), {"observations": {}, "actions": [0], "terminations": [True]})()])

    Dataset.__name__ = "MinariDataset"
    assert is_dataset(Dataset())
    with pytest.raises(ValueError, match=r"demonstrations\[0\]: expected observations that are vectors or indices"):
        from_minari(Dataset())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_minari("no/such-v0"), "dataset: cannot read 'no/such-v0': .* not found"),
        (lambda: from_minari("nonsense"), "dataset: expected a name that ends in a version, .* got 'nonsense'"),
        (lambda: from_minari(3), "dataset: expected a Minari dataset or the id of one, got 3"),  # type: ignore[arg-type]
        (lambda: to_minari(_pendulum(), "Pendulum-v1", "a-v0"), "mdp: expected a SimulatorMDP, got 'Pendulum-v1'"),  # type: ignore[arg-type]
        (
            lambda: to_minari(_pendulum(), SimulatorMDP("CartPole-v1"), "a-v0"),
            r"demonstrations\[0\] step 0: expected a state of shape \[4\], got shape \[3\]",
        ),
        (
            lambda: Demonstrations([[0, 4]], [[1]], [None]).to_minari(SimulatorMDP(Corridor), "a-v0"),  # type: ignore[list-item]
            r"demonstrations\[0\] step 1: expected a state from 0 to 3, got 4",
        ),
        (
            lambda: Demonstrations([[0], [0, 1]], [[], [1]], [None] * 2).to_minari(SimulatorMDP(Corridor), "a-v0"),  # type: ignore[list-item]
            r"demonstrations\[0\]: expected at least one step, got an empty trajectory",
        ),
        (
            lambda: to_minari(_pendulum(), SimulatorMDP("Pendulum-v1"), "nameless"),
            "dataset: expected a name that ends in a version",
        ),
    ],
)
def test_errors(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_name_that_is_taken() -> None:
    _pendulum().to_minari(SimulatorMDP("Pendulum-v1"), "pendulum-v0")
    with pytest.raises(ValueError, match="already exists"):
        _pendulum().to_minari(SimulatorMDP("Pendulum-v1"), "pendulum-v0")


@pytest.mark.parametrize("missing", ["minari", "h5py"])
def test_without_the_package(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for call in (
        lambda: from_minari("pendulum-v0"),
        lambda: _pendulum().to_minari(SimulatorMDP("Pendulum-v1"), "pendulum-v0"),
    ):
        with pytest.raises(ImportError, match=r"pip install 'ppl-control\[minari\]'"):
            call()
    assert not is_dataset([])
