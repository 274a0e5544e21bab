"""From settings and a model to the state of a run."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.inference.reinforcement.checks import features_of
from ppl_control.inference.reinforcement.episodes import EpisodeSums
from ppl_control.inference.reinforcement.replay import Replay
from ppl_control.inference.reinforcement.soft_actor_critic.acting import (
    Acting,
    CategoricalActing,
    PolicyActing,
    SquashedActing,
)
from ppl_control.inference.reinforcement.soft_actor_critic.any_policy import AnyContinuousPolicy, AnyDiscretePolicy
from ppl_control.inference.reinforcement.soft_actor_critic.compiled import choose_update
from ppl_control.inference.reinforcement.soft_actor_critic.continuous import ContinuousActions
from ppl_control.inference.reinforcement.soft_actor_critic.discrete import DiscreteActions
from ppl_control.inference.reinforcement.soft_actor_critic.entropy import default_target_entropy, highest_entropy
from ppl_control.inference.reinforcement.soft_actor_critic.learned import Group, Learned
from ppl_control.inference.reinforcement.soft_actor_critic.networks.critics import ActionCritics, StateCritics
from ppl_control.inference.reinforcement.soft_actor_critic.objectives import Actions, Objectives
from ppl_control.inference.reinforcement.soft_actor_critic.state import SoftActorCriticState
from ppl_control.inference.reinforcement.soft_actor_critic.update import Rates
from ppl_control.policies.gaussian import SquashedGaussianMLP
from ppl_control.policies.mlp import CategoricalMLP
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.worlds import Worlds

if TYPE_CHECKING:
    from ppl_control.inference.reinforcement.soft_actor_critic.method import SoftActorCritic

__all__ = ["build_state", "check_actor"]


def check_actor(method: SoftActorCritic, model: TrajectoryModel) -> None:
    """Raise a ValueError where the policy cannot be the actor."""
    policy = _policy(method, model, 0)
    if getattr(policy, "horizon", None) is not None:
        raise ValueError(
            f"policy: it depends on time (horizon={policy.horizon}), and SoftActorCritic learns a stationary one; "
            "make it without a horizon"
        )
    SimulatorGuide(model, policy)
    if model.mdp.num_actions is None and not policy(model.mdp.probe()).has_rsample:
        raise ValueError(
            f"policy: {type(policy).__name__} draws without rsample, and the actor's gradient runs through its draws; "
            "use SquashedGaussianMLP or FlowPolicy with low= and high="
        )
    if method.compile is True and not _fits_a_graph(policy, model):
        raise ValueError(
            "compile: only SquashedGaussianMLP and CategoricalMLP in float32, without a policy as action prior, fit "
            "one graph; use compile=None"
        )


def build_state(method: SoftActorCritic, model: TrajectoryModel, seed: int) -> SoftActorCriticState:
    """The state before the first step; every random stream of the run follows from the seed."""
    mdp, device, n = model.mdp, model.mdp.device, method.environments
    drawn = np.random.SeedSequence(seed % 2**63).generate_state(len(_STREAMS)).tolist()
    seeds = dict(zip(_STREAMS, drawn, strict=True))
    policy = _policy(method, model, seeds["policy"]).requires_grad_(False)
    critic = _critic(method, model, seeds["critic"]).to(device).requires_grad_(False)
    widths = [mdp.state_dim or 1, mdp.action_dim or 1, 1, 1, mdp.state_dim or 1]
    in_graph = _fits_a_graph(policy, model)
    optimised: Any = policy.network if in_graph else policy

    def objectives() -> Objectives:
        actions = _actions(deepcopy(policy), model)  # copies: a compiled graph outlives the run
        return Objectives(actions, deepcopy(critic), widths, mdp.num_states is not None)

    values = list(critic.parameters())
    update = choose_update(
        method.compile if in_graph else False,
        device,
        repr((type(policy).__name__, _plain(getattr(policy, "settings", {})), list(method.hidden), method.batch_size))
        + repr((_log_prior(model), widths, mdp.num_states, mdp.num_actions, str(device), method.threads)),
        objectives,
        Rates(model.discount, method.learning_rate, method.target_rate, _target_entropy(method, model)),
    )
    start = torch.tensor(model.temperature, device=device).log()
    return SoftActorCriticState(
        policy=policy,
        critic=critic,
        learned=Learned(
            actor=Group.of(optimised.parameters()),
            critic=Group.of(values),
            target=[value.detach().clone() for value in values],
            temperature=Group.of([start]),
            count=torch.zeros((), device=device),
        ),
        update=update,
        acting=_acting(policy, model),
        worlds=Worlds(mdp, n, seeds["worlds"], model.horizon),
        replay=Replay(
            min(method.buffer_size, method.steps + n),
            observation_width=widths[0],
            action_width=widths[1],
            device=device,
        ),
        sums=EpisodeSums(n, model.temperature, model.discount),
        generators={
            "acting": torch.Generator().manual_seed(seeds["acting"]),
            "learning": torch.Generator(device).manual_seed(seeds["learning"]),
        },
        stream=RandomStream(seeds["stream"]),
        noise_width=mdp.action_dim if in_graph and mdp.action_dim is not None else 0,
        answer_seed=seeds["answer"],
        note="compiling the update, up to a minute" if in_graph and method.compile is not False else "",
    )


_STREAMS = ("worlds", "policy", "critic", "acting", "learning", "stream", "answer")


def _policy(method: SoftActorCritic, model: TrajectoryModel, seed: int) -> nn.Module:
    if method.policy is not None:
        return deepcopy(method.policy).to(model.mdp.device)
    mdp: Any = model.mdp
    settings = {"hidden": method.hidden, "activation": "relu", "seed": seed, "dtype": torch.float32}
    settings |= features_of(mdp)
    if mdp.num_actions is not None:
        policy: nn.Module = CategoricalMLP(mdp.num_actions, **settings)
    else:
        low, high = mdp.action_space.low, mdp.action_space.high
        policy = SquashedGaussianMLP(action_dim=mdp.action_dim, low=low, high=high, **settings)
    return policy.to(mdp.device)


def _critic(method: SoftActorCritic, model: TrajectoryModel, seed: int) -> ActionCritics | StateCritics:
    mdp: Any = model.mdp
    if mdp.num_actions is not None:
        return StateCritics(features_of(mdp), mdp.num_actions, method.hidden, seed)
    low, high = (torch.as_tensor(bound, dtype=torch.float32) for bound in (mdp.action_space.low, mdp.action_space.high))
    return ActionCritics(features_of(mdp), low, high, method.hidden, seed)


def _fits_a_graph(policy: nn.Module, model: TrajectoryModel) -> bool:
    """Whether policy and prior are plain arithmetic; else they are asked through their distributions."""
    plain = type(policy) in (SquashedGaussianMLP, CategoricalMLP)
    return plain and _log_prior(model) is not None and next(policy.parameters()).dtype == torch.float32


def _log_prior(model: TrajectoryModel) -> float | None:
    """Log π0 where it is the same for every action, nats."""
    if model.action_prior is None:
        return 0.0
    return -highest_entropy(model.mdp.action_space) if isinstance(model.action_prior, str) else None


def _actions(policy: Any, model: TrajectoryModel) -> Actions:
    log_prior, finite = _log_prior(model), model.mdp.num_actions is not None
    if not _fits_a_graph(policy, model) or log_prior is None:
        return (AnyDiscretePolicy if finite else AnyContinuousPolicy)(policy, model.prior)
    return (DiscreteActions if finite else ContinuousActions)(policy, log_prior)


def _acting(policy: Any, model: TrajectoryModel) -> Acting:
    log_prior = _log_prior(model)
    if not _fits_a_graph(policy, model) or log_prior is None:
        return PolicyActing(model, policy)
    return (SquashedActing if model.mdp.num_actions is None else CategoricalActing)(policy, log_prior)


def _target_entropy(method: SoftActorCritic, model: TrajectoryModel) -> float | None:
    if method.temperature == "model":
        return None
    return default_target_entropy(model.mdp.action_space) if method.target_entropy is None else method.target_entropy


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value.tolist() if isinstance(value, Tensor) else value for name, value in settings.items()}
