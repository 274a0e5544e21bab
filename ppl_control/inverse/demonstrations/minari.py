"""Minari's datasets of episodes, read and written."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ppl_control.inverse.demonstrations.columns import checked_column
from ppl_control.inverse.demonstrations.records import Demonstrations
from ppl_control.mdp.simulator import SimulatorMDP

if TYPE_CHECKING:
    from minari import MinariDataset

__all__ = ["from_minari", "is_dataset", "to_minari"]


def is_dataset(given: Any) -> bool:
    """Whether something is a Minari dataset; Minari need not be installed to ask."""
    return any(kind.__name__ == "MinariDataset" for kind in type(given).__mro__)


def from_minari(dataset: MinariDataset | str) -> Demonstrations:
    """The episodes of a dataset; indices count from 0 as everywhere here, vectors are float32 as in simulators.

    Args:
        dataset: a dataset (filtered as you like), or the id of a local one.

    Raises:
        ValueError: no such dataset, one without episodes, or observations or actions that are not vectors or indices.
        ImportError: an id, and Minari is not installed.

    References:
        Younis et al. (2024), Minari, https://minari.farama.org.
    """
    if isinstance(dataset, str):
        dataset = _loaded(dataset)
    if not is_dataset(dataset):
        raise ValueError(f"dataset: expected a Minari dataset or the id of one, got {dataset!r}")
    seen, done = dataset.observation_space, dataset.action_space
    states, actions, ends = [], [], []
    for i, episode in enumerate(dataset.iterate_episodes()):
        states.append(_rows(episode.observations, seen, "observations", i))
        actions.append(_rows(episode.actions, done, "actions", i))
        ends.append(bool(episode.terminations[-1]))
    return Demonstrations(states, actions, ends)


def _rows(values: Any, space: Any, what: str, i: int) -> Tensor:
    if isinstance(space, spaces.Discrete):
        return torch.as_tensor(np.asarray(values, dtype=np.int64) - int(space.start))
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise ValueError(f"demonstrations[{i}]: expected {what} that are vectors or indices, got {space}")
    return torch.as_tensor(np.asarray(values, dtype=np.float32))


def to_minari(
    demonstrations: Demonstrations,
    mdp: SimulatorMDP,
    dataset_id: str,
    *,
    algorithm_name: str | None = None,
    author: str | None = None,
    author_email: str | None = None,
    code_permalink: str | None = None,
    description: str | None = None,
) -> MinariDataset:
    """Write demonstrations in a simulator as a local Minari dataset.

    Args:
        demonstrations: trajectories of its observations and actions. One that did not end, or of which nobody said so,
            is written as truncated. Rewards are not in demonstrations, and are written as NaN.
        mdp: the simulator they were made in; its environment is recorded where it was given by id.
        dataset_id: the dataset's name, e.g. ``"pendulum/expert-v0"``; where it lies is Minari's to say
            (``MINARI_DATASETS_PATH``).
        algorithm_name: who demonstrated.
        author: who recorded it.
        author_email: where to ask.
        code_permalink: the code that made it.
        description: what it is.

    Raises:
        ValueError: states or actions that are not the simulator's, or an id that is malformed or taken.
        ImportError: Minari is not installed.
    """
    _require_minari(dataset_id)
    from minari import create_dataset_from_buffers
    from minari.data_collector import EpisodeBuffer

    if not isinstance(mdp, SimulatorMDP):
        raise ValueError(f"mdp: expected a SimulatorMDP, got {mdp!r}")
    buffers = []
    rows = zip(demonstrations.states, demonstrations.actions, demonstrations.terminated, strict=True)
    for i, (states, actions, terminated) in enumerate(rows):
        if not len(actions):
            raise ValueError(f"demonstrations[{i}]: expected at least one step, got an empty trajectory")
        last = np.arange(len(actions)) == len(actions) - 1
        buffers.append(
            EpisodeBuffer(
                id=i,
                observations=_written(states, mdp.observation_space, i, "state"),  # type: ignore[arg-type]
                actions=_written(actions, mdp.action_space, i, "action"),  # type: ignore[arg-type]
                rewards=[float("nan")] * len(actions),
                terminations=(last & bool(terminated)).tolist(),
                truncations=(last & (not terminated)).tolist(),
            )
        )
    with _recordable(mdp) as env, warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="minari")  # of all that was left out
        return create_dataset_from_buffers(
            dataset_id,
            buffers,
            env=env,
            algorithm_name=algorithm_name,
            author=author,
            author_email=author_email,
            code_permalink=code_permalink,
            description=description,
            observation_space=mdp.observation_space,
            action_space=mdp.action_space,
        )


@contextmanager
def _recordable(mdp: SimulatorMDP) -> Iterator[gymnasium.Env | None]:
    """An environment that can be made again from its id and arguments; None where there is no such one."""
    env = mdp.make(mdp)
    try:
        yield env if env.spec is not None and not env.spec.additional_wrappers else None
    finally:
        mdp.give_back(env)


def _written(rows: Tensor, space: Any, i: int, what: str) -> np.ndarray:
    dtype = torch.float64 if space.dtype == np.float64 else torch.float32
    values = checked_column(rows, space, dtype, i, what).numpy().astype(space.dtype)
    return values + space.start if isinstance(space, spaces.Discrete) else values


def _loaded(dataset_id: str) -> MinariDataset:
    _require_minari(dataset_id)
    from minari import load_dataset

    try:
        return load_dataset(dataset_id)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(
            f"dataset: cannot read {dataset_id!r}: {error}; minari.download_dataset fetches one"
        ) from error


def _require_minari(dataset_id: str) -> None:
    if not isinstance(dataset_id, str) or re.search(r"\w-v\d+$", dataset_id) is None:
        raise ValueError(
            f"dataset: expected a name that ends in a version, as 'pendulum/expert-v0', got {dataset_id!r}"
        )
    try:
        import h5py  # noqa: F401
        import minari  # noqa: F401
    except ImportError as error:
        raise ImportError("Minari's datasets need the package minari: pip install 'ppl-control[minari]'") from error
