"""The policy that is trained on demonstrations, and the solution that it stands for once it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from torch import nn

from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.guides.copies import trainable_copy
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.recursions import elbo
from ppl_control.inference.reinforcement.answer import answer, answer_seed
from ppl_control.inference.variational.estimators.continuous import ContinuousScore
from ppl_control.inference.variational.exact_bound import values
from ppl_control.mdp.continuous import is_bounded
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies import CategoricalMLP, GaussianMLP, LinearGaussianPolicy, SquashedGaussianMLP
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["make_policy", "solution_of"]


def make_policy(model: TrajectoryModel, method: Any, seed: int) -> nn.Module:
    """A copy of the recipe; else linear-Gaussian where the world is, a categorical, or a (squashed) Gaussian.

    Raises:
        ValueError: a recipe that does not fit the model.
    """
    device = model.tables.initial.device if model.is_tabular else getattr(model.mdp, "device", None)
    policy = _default(model, method, seed) if method.policy is None else trainable_copy(method.policy)
    policy = policy.to(device)
    if not any(True for _ in policy.parameters()):
        raise ValueError(f"policy: a {type(policy).__name__} has no parameters to learn")
    _guide(model, policy)
    return policy


def _default(model: TrajectoryModel, method: Any, seed: int) -> nn.Module:
    mdp: Any = model.mdp
    horizon = model.horizon if method.timed else None
    if isinstance(mdp, LinearGaussianMDP):
        return LinearGaussianPolicy.standard(
            mdp.state_dim, mdp.action_dim, horizon=horizon, with_offset=True, dtype=mdp.dtype
        )
    common: dict[str, Any] = {"horizon": horizon, "hidden": method.hidden, "seed": seed, "dtype": mdp.dtype}
    classes = getattr(mdp, "num_states", None)
    common |= {"num_features": mdp.state_dim} if classes is None else {"num_states": classes}
    space = mdp.action_space
    if isinstance(space, spaces.Discrete):
        return CategoricalMLP(int(space.n), **common)
    if not is_bounded(space):
        return GaussianMLP(action_dim=space.shape[0], **common)
    return SquashedGaussianMLP(action_dim=space.shape[0], low=space.low.tolist(), high=space.high.tolist(), **common)


def solution_of(
    model: TrajectoryModel, method: Any, policy: nn.Module, history: Mapping[str, list[float]], seed: int
) -> Solution:
    """The policy in the true dynamics; its bound exact on tables, from fresh trajectories elsewhere.

    Raises:
        ValueError: a policy under which episodes might never end, where neither horizon nor discount ends them.
    """
    kept = {name: tuple(column) for name, column in history.items()}
    if model.is_simulator:
        return answer(
            model,
            method,
            policy,
            temperature=model.temperature,
            history=kept,
            seed=answer_seed(seed),
            episodes=method.episodes,
        )
    guide = _guide(model, policy)
    about = {"model": model, "method": method, "policy": policy, "guide": guide, "exact": False, "history": kept}
    if isinstance(guide, TabularGuide):
        with torch.no_grad():
            tables, alpha = guide.tables(), model.temperature
            value, q = values(model.tables, tables)
            bound = elbo(model.tables, tables, value if model.horizon is None else value[0])
        return Solution(
            **about, log_evidence_bound=float(bound), temperature=alpha, soft_value=value * alpha, soft_q=q * alpha
        )
    with RandomStream(answer_seed(seed)):
        found = ContinuousScore().answer(guide, method.episodes)
    return Solution(
        **about,
        log_evidence_bound=found.bound,
        log_evidence_bound_stderr=found.stderr,
        temperature=model.temperature,
    )


def _guide(model: TrajectoryModel, policy: nn.Module) -> TabularGuide | ContinuousGuide | SimulatorGuide:
    if model.is_tabular:
        return TabularGuide(model, policy)
    return (SimulatorGuide if model.is_simulator else ContinuousGuide)(model, policy)
