"""Learned rewards and policies side by side, held against the demonstrator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ppl_control.evaluation import evaluate
from ppl_control.inference.base import Solution
from ppl_control.inverse.reports.distances import occupancy_distance, policy_distance
from ppl_control.inverse.reports.shaping import reward_correlation
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["report"]


def report(
    model: TrajectoryModel,
    demonstrator: Solution,
    found: Mapping[str, Any],
    *,
    episodes: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """What was learned from a demonstrator whose world and reward are known.

    Args:
        model: the world, with its true reward.
        demonstrator: a solution of it.
        found: name → a fit with ``solution`` and ``reward``, or a solution alone (behaviour cloning).
        episodes: to estimate returns from, where they cannot be computed.
        seed: of these.

    Returns:
        One row a name, the demonstrator first: ``policy_distance`` and ``occupancy_distance`` (total variation, tables
        only), ``executed_return`` of the learned policy in the true world with its standard error, reward units, and
        ``reward_correlation``, of the rewards without their shaping.

    Raises:
        ValueError: something that is neither a fit nor a solution.
    """
    rows = []
    for name, each in {"demonstrator": demonstrator, **found}.items():
        solution = each if isinstance(each, Solution) else getattr(each, "solution", None)
        if not isinstance(solution, Solution):
            raise ValueError(f"found[{name!r}]: expected a fit or a solution, got {each!r}")
        result = evaluate(solution, model, episodes=episodes, seed=seed)
        on_tables, reward = model.is_tabular, getattr(each, "reward", None)
        rows.append(
            {
                "name": name,
                "policy_distance": policy_distance(solution, demonstrator, model) if on_tables else math.nan,
                "occupancy_distance": occupancy_distance(solution, demonstrator, model) if on_tables else math.nan,
                "executed_return": result.executed_return,
                "executed_return_stderr": result.executed_return_stderr,
                "reward_correlation": _correlation(model, reward) if on_tables and reward is not None else math.nan,
            }
        )
    return pd.DataFrame(rows).set_index("name")


def _correlation(model: TrajectoryModel, reward: Any) -> float:
    return reward_correlation(model, reward, _true(model))


def _true(model: TrajectoryModel) -> Any:
    return model.mdp.outcomes.expected_reward
