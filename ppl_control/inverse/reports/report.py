"""Learned rewards and policies side by side, held against the demonstrator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ppl_control.evaluation import evaluate
from ppl_control.inference.base import Solution
from ppl_control.inverse.demonstrations.occupancy import solution_of
from ppl_control.inverse.reports.distances import occupancy_distance, policy_distance
from ppl_control.inverse.reports.shaping import reward_correlation
from ppl_control.inverse.reports.visited import visited
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["report"]


def report(
    model: TrajectoryModel,
    demonstrator: Any,
    found: Mapping[str, Any],
    *,
    episodes: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """What was learned from a demonstrator whose world and reward are known.

    Args:
        model: the world, with its true reward.
        demonstrator: a solution of it, or a fit that has one.
        found: name → a fit with ``solution`` and ``reward``, or a solution alone (behaviour cloning).
        episodes: to estimate returns from, where they cannot be computed.
        seed: of these.

    Returns:
        One row a name, the demonstrator first: ``policy_distance`` and ``occupancy_distance`` (total variation, tables
        only); ``executed_return`` of the learned policy in the true world with its standard error, and
        ``episode_return``, without discount, reward units; ``reward_correlation``: on tables of the rewards without
        their shaping, in simulators of the rewards as they are, over steps of the demonstrator and of random actions.

    Raises:
        ValueError: something that is neither a fit nor a solution, or a name twice.
    """
    if not isinstance(model, TrajectoryModel):
        raise ValueError(f"model: expected a TrajectoryModel, got {model!r}")
    if not isinstance(found, Mapping) or "demonstrator" in found:
        raise ValueError(f"found: expected names, other than 'demonstrator', with fits or solutions, got {found!r}")
    demonstrator = solution_of("demonstrator", demonstrator)
    solutions = {name: solution_of(f"found[{name!r}]", each) for name, each in found.items()}
    correlation, on_tables = _correlation(model, demonstrator, episodes, seed), model.is_tabular
    rows = []
    for name, solution in {"demonstrator": demonstrator, **solutions}.items():
        result, reward = (
            evaluate(solution, model, episodes=episodes, seed=seed),
            getattr(found.get(name), "reward", None),
        )
        rows.append(
            {
                "name": name,
                "policy_distance": policy_distance(solution, demonstrator, model) if on_tables else math.nan,
                "occupancy_distance": occupancy_distance(solution, demonstrator, model) if on_tables else math.nan,
                "executed_return": result.executed_return,
                "executed_return_stderr": result.executed_return_stderr,
                "episode_return": result.episode_return,
                "reward_correlation": math.nan if reward is None else correlation(reward),
            }
        )
    return pd.DataFrame(rows).set_index("name")


def _correlation(model: TrajectoryModel, demonstrator: Solution, episodes: int, seed: int) -> Callable[[Any], float]:
    """With the true reward: without shaping on tables, where somebody has been in simulators, else unknown."""
    if model.is_tabular:
        true = model.mdp.outcomes.expected_reward
        return lambda reward: reward_correlation(model, reward, true)
    if model.is_simulator:
        return visited(model, demonstrator, episodes=episodes, seed=seed).correlation
    return lambda reward: math.nan
