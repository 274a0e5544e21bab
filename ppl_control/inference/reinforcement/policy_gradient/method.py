"""Policy gradient for the maximum-entropy objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.reinforcement.answer import answer, answer_seed
from ppl_control.inference.reinforcement.checks import (
    check_bounded_actions,
    check_discount,
    require_finite,
    require_simulator,
)
from ppl_control.inference.reinforcement.episodes import EpisodeSums
from ppl_control.inference.reinforcement.history import record
from ppl_control.inference.reinforcement.policy_gradient.exact import ascent
from ppl_control.inference.reinforcement.policy_gradient.networks import make_policy, make_value
from ppl_control.inference.reinforcement.policy_gradient.rollout import Rollout, play
from ppl_control.inference.reinforcement.policy_gradient.state import PolicyGradientState
from ppl_control.inference.reinforcement.policy_gradient.update import batch_of, learn
from ppl_control.inference.variational.svi import SVI
from ppl_control.randomness import RandomStream
from ppl_control.settings import require_real, require_whole, require_widths
from ppl_control.threads import threads
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.worlds import Worlds

__all__ = ["SoftPolicyGradient"]

RATE = 1e-3  # Adam's on simulators


@dataclass(frozen=True)
class SoftPolicyGradient:
    """Ascend E Σ γᵗ [r_t − α log π(a_t|s_t) + α log π0(a_t|s_t)] along its gradient.

    On a simulator: play, estimate, move. Each action is weighed by its advantage, the reward to go with the
    entropy of later choices in it, less a learned baseline; the entropy of the choice at hand enters in closed
    form (one reparameterised draw for squashed Gaussians and flows).

        ∇J = E Σ_t [∇log π(a_t|s_t) A_t − α ∇KL(π(·|s_t) ‖ π0(·|s_t))]

    Between two rollouts the policy makes several steps on the same rows, kept near the policy that played by
    proximal policy optimisation's clipped ratio. That is no longer the gradient itself; with ``epochs=1`` and
    ``minibatches=1`` it is, without bias where ``gae_lambda=1`` and the rows hold whole episodes. Advantages are
    divided by their deviation, α with them, which Adam undoes.

    On tables: the exact gradient (``exact_gradient``), which is that of the ELBO of ``FixedDynamics``; climbed as
    ``SVI`` does, along the natural gradient (Kakade 2002) where the policy is a table.

    With a horizon T, policy and baseline see the time, and nothing follows the last decision. An environment's
    own truncation is bootstrapped from the last state seen.

    Args:
        steps: environment steps in all, never exceeded (a last round that not every environment could play is left
            out); on tables the most gradient steps.
        learning_rate: Adam's, which falls linearly to 0; None: 1e-3 on simulators, on tables as in ``SVI``.
        environments: played side by side.
        rollout_length: steps of each between two updates.
        epochs: passes over a rollout.
        minibatches: parts of a pass.
        clip: ε, the share by which an action's probability may move before its gradient stops.
        gae_lambda: λ of the advantage: 1 is the whole reward to go, smaller trusts the baseline more.
        max_gradient_norm: a longer gradient is shortened to it, for policy and baseline apart.
        hidden: widths of the hidden layers of policy and baseline.
        policy: π, copied, never trained itself; None: the family that suits the model.
        episodes: fresh ones that the solution's bound is estimated from.

    Raises:
        ValueError: a setting out of its range; at ``infer``, a model that is neither simulator nor table,
            unbounded actions, or no discount where there is no horizon.

    Note:
        As usual, states count alike however late they are met. With γ < 1 that is not quite the gradient of the
        objective, which weighs them by γᵗ (Thomas 2014; Nota and Thomas 2020, arXiv 1906.07073); on tables it is.

    References:
        Williams (1992); Schulman et al. (2016), arXiv 1506.02438; Schulman et al. (2017), arXiv 1707.06347;
        Levine (2018), arXiv 1805.00909, section 4.1; Schulman, Chen and Abbeel (2017), arXiv 1704.06440.
    """

    steps: int = 100_000
    learning_rate: float | None = None
    environments: int = 16
    rollout_length: int = 64
    epochs: int = 10
    minibatches: int = 4
    clip: float = 0.2
    gae_lambda: float = 0.95
    max_gradient_norm: float = 0.5
    hidden: Sequence[int] = (64, 64)
    policy: nn.Module | None = None
    episodes: int = 100

    def __post_init__(self) -> None:
        whole = ("steps", "environments", "rollout_length", "epochs", "minibatches")
        require_whole(self, dict.fromkeys(whole, 1) | {"episodes": 2})
        require_real(self, ["clip", "max_gradient_norm"], above=0, infinite=True)
        require_real(self, ["learning_rate"], optional=True, above=0)
        require_real(self, ["gae_lambda"], least=0, most=1)
        require_widths(self)
        if self.policy is not None and not isinstance(self.policy, nn.Module):
            raise ValueError(f"policy: expected a module such as CategoricalMLP, got {self.policy!r}")
        if self.environments > self.steps:
            raise ValueError(f"environments: expected at most steps={self.steps}, got {self.environments}")
        if self.minibatches > self.environments * self.rollout_length:
            raise ValueError(
                f"minibatches: expected at most environments · rollout_length = "
                f"{self.environments * self.rollout_length}, got {self.minibatches}"
            )

    def _on_tables(self) -> SVI:
        return ascent(self.policy, self.steps, self.learning_rate)

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where these settings cannot serve the model."""
        if model.is_tabular:
            return self._on_tables().check(model)
        require_simulator(self, model)
        check_discount(self, model)
        check_bounded_actions(self, model)
        if model.mdp.is_instance and self.environments > 1:
            raise ValueError(f"environments: an instance serves one, got {self.environments}; give an id or a function")
        policy = make_policy(model, self.policy, self.hidden, 0)
        if getattr(policy, "horizon", None) not in (None, model.horizon):
            raise ValueError(f"policy: it knows {policy.horizon} times, the model has horizon={model.horizon}")
        SimulatorGuide(model, policy)

    def init(self, model: TrajectoryModel, seed: int = 0) -> Any:
        """The state before the first step."""
        if model.is_tabular:
            return self._on_tables().init(model, seed)
        policy = make_policy(model, self.policy, self.hidden, seed)
        value = make_value(model, self.hidden, seed + 1)
        parameters = [p for p in (*policy.parameters(), *value.parameters()) if p.requires_grad]
        return PolicyGradientState(
            policy=policy,
            value=value,
            optimizer=torch.optim.Adam(parameters, lr=self.learning_rate or RATE, eps=1e-5),
            stream=RandomStream(seed),
            worlds=Worlds(model.mdp, self.environments, seed, model.horizon),
            time=np.zeros(self.environments, dtype=np.int64),
            sums=EpisodeSums(self.environments, model.temperature, model.discount),
            seed=seed,
        )

    def step(self, model: TrajectoryModel, state: Any) -> dict[str, float]:
        """One rollout and the learning from it, in place; one gradient step on tables.

        Returns:
            ``return`` (undiscounted) and ``bound`` (nats) of the episodes that ended lately, ``temperature``,
            ``entropy`` (of the actions taken, nats), and what ``update.learn`` says.
        """
        if model.is_tabular:
            return self._on_tables().step(model, state)
        for group in state.optimizer.param_groups:
            group["lr"] = (self.learning_rate or RATE) * (1 - state.number / self.steps)
        length = min(self.rollout_length, (self.steps - state.number) // self.environments)
        number = state.number + length * self.environments
        with state.stream, threads(1):
            rollout = play(model, state.policy, state.worlds, state.time, length)
            batch = batch_of(model, state.value, rollout, self.gae_lambda)
            learned = learn(self, model, state.policy, state.value, state.optimizer, batch, number)
        require_finite(number, **learned, **dict(state.policy.named_parameters()))
        require_finite(number, **{f"value.{name}": p for name, p in state.value.named_parameters()})
        state.number = number
        _count(state.sums, rollout)
        metrics = state.sums.metrics() | {
            "temperature": model.temperature,
            "entropy": -float(rollout.log_policy.mean()),
            **{name: float(figure) for name, figure in learned.items()},
        }
        record(state.history, state.number, metrics)
        return metrics

    def finished(self, state: Any) -> bool:
        """Whether the steps left are too few for one more of every environment, or a table's optimum is reached."""
        if isinstance(state, PolicyGradientState):
            return self.steps - state.number < self.environments
        return self._on_tables().finished(state)

    def solution(self, model: TrajectoryModel, state: Any) -> Solution:
        """The policy as it is; its bound from fresh episodes, exact on tables."""
        if model.is_tabular:
            return replace(self._on_tables().solution(model, state), method=self)
        return answer(
            model,
            self,
            state.policy,
            temperature=model.temperature,
            history=state.history,
            seed=answer_seed(state.seed),
            episodes=self.episodes,
        )


def _count(sums: EpisodeSums, rollout: Rollout) -> None:
    columns = (rollout.reward, rollout.taken, rollout.ended)
    for reward, choice, ended in zip(*(column.cpu().numpy() for column in columns), strict=True):
        sums.add(reward, choice, ended)
