"""Soft actor-critic as a method of inference."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

from torch import nn

from ppl_control.inference.base import Solution
from ppl_control.inference.reinforcement.answer import answer
from ppl_control.inference.reinforcement.checks import (
    check_bounded_actions,
    check_discount,
    require_simulator,
)
from ppl_control.inference.reinforcement.history import record
from ppl_control.inference.reinforcement.soft_actor_critic.building import build_state, check_actor
from ppl_control.inference.reinforcement.soft_actor_critic.entropy import highest_entropy
from ppl_control.inference.reinforcement.soft_actor_critic.playing import play
from ppl_control.inference.reinforcement.soft_actor_critic.state import SoftActorCriticState
from ppl_control.settings import require_real, require_whole, require_widths, shown, truth
from ppl_control.threads import threads
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["SoftActorCritic"]

STEPS_A_CALL = 100  # environment steps: the loop around them costs nothing, and a person sees progress


@dataclass(frozen=True)
class SoftActorCritic:
    """Soft actor-critic: SVI of every state's action, with a learned critic for what comes after.

    At each state the policy is the guide of a model of one step, with prior π0 and factor exp(Q(s,a)/α); the actor's
    loss is −α times its ELBO (see ``losses``). The critic Q(s,a) = r + γ E V(s') amortises the tail of the
    trajectory's ELBO, so that no trajectory has to be sampled to its end, and old experience can be used again: the
    dynamics, which are the model's own, cancel. The bound of the solution is measured in fresh episodes.

    Policy and critics do not see the time: a horizon ends episodes, and is bootstrapped through like any truncation.

    Args:
        steps: environment steps in all, never exceeded (a last round that not every environment could play is left
            out).
        policy: the actor, copied; any policy with ``rsample`` (a flow) or, for finitely many actions, any categorical
            one. None: a squashed Gaussian or a categorical, with ReLU layers of ``hidden``, float32.
        hidden: widths of the hidden layers of the critics and the default policy.
        batch_size: transitions in an update.
        buffer_size: transitions kept.
        learning_starts: environment steps before the first update.
        learning_rate: of Adam, for policy, critics and log α.
        temperature: ``"learned"``: α starts from the model's and follows the target entropy; ``"model"``: α is the
            model's, and the policy's ELBO is that of the model.
        target_entropy: H̄, nats, for a density in the environment's units (Box) or a probability (Discrete). None: −m
            in units of [−1, 1]^m, or doing one action nine times in ten.
        target_rate: share of the critics in each step of the target averages.
        updates_per_step: updates for each environment step.
        environments: how many side by side.
        compile: the update as one compiled graph. None: where a compiler is found (its start takes 5 to 30 s), else
            uncompiled with a warning; policies that are given, and action priors that are policies, run uncompiled.
        threads: of torch while it steps; more than one pays on idle cores only.
        episodes: fresh ones that the solution's bound is estimated from.

    Raises:
        ValueError: a setting out of its range; at ``infer``, a model or policy that it cannot serve.

    References:
        Haarnoja et al. (2018, arXiv 1801.01290 and 1812.05905); Levine (2018, arXiv 1805.00909), section 4.
    """

    steps: int = 10_000
    policy: nn.Module | None = None
    hidden: tuple[int, ...] = (256, 256)
    batch_size: int = 256
    buffer_size: int = 1_000_000
    learning_starts: int = 100
    learning_rate: float = 1e-3
    temperature: Literal["learned", "model"] = "learned"
    target_entropy: float | None = None
    target_rate: float = 0.01
    updates_per_step: int = 1
    environments: int = 1
    compile: bool | None = None
    threads: int = 1
    episodes: int = 20

    def __post_init__(self) -> None:
        whole = ("steps", "batch_size", "buffer_size", "learning_starts", "updates_per_step", "environments", "threads")
        require_whole(self, dict.fromkeys(whole, 1) | {"episodes": 2})
        if self.policy is not None and not isinstance(self.policy, nn.Module):
            raise ValueError(f"policy: expected a policy (a torch module) or None, got {self.policy!r}")
        require_widths(self)
        if self.batch_size > self.buffer_size:
            raise ValueError(
                f"batch_size: expected at most buffer_size = {self.buffer_size}, got {self.batch_size}; "
                "a batch is drawn from what is kept"
            )
        if self.environments > self.buffer_size:
            raise ValueError(
                f"environments: expected at most buffer_size = {self.buffer_size}, got {self.environments}"
            )
        if self.environments > self.steps:
            raise ValueError(f"environments: expected at most steps = {self.steps}, got {self.environments}")
        if self.learning_starts > self.steps:
            raise ValueError(f"learning_starts: expected at most steps = {self.steps}, got {self.learning_starts}")
        require_real(self, ["learning_rate"], above=0)
        if not isinstance(self.temperature, str) or self.temperature not in ("learned", "model"):
            raise ValueError(
                f"temperature: expected 'learned' or 'model', got {shown(self.temperature)}; a number belongs to the "
                "TrajectoryModel"
            )
        require_real(self, ["target_entropy"], optional=True)
        if self.target_entropy is not None and self.temperature == "model":
            raise ValueError(
                "target_entropy: it guides a learned temperature; use temperature='learned' or leave it out"
            )
        require_real(self, ["target_rate"], above=0, most=1)
        if self.compile is not None:
            truth("compile", self.compile)

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where these settings cannot serve the model."""
        require_simulator(self, model)
        check_discount(self, model)
        if model.discount == 1:
            raise ValueError(
                "discount: SoftActorCritic bootstraps through a horizon, since its policy and critics do not see the "
                "time, and needs a discount < 1; SoftPolicyGradient and SoftQLearning see it"
            )
        check_bounded_actions(self, model)
        check_actor(self, model)
        target, highest = self.target_entropy, highest_entropy(model.mdp.action_space)
        lowest = 0.0 if model.mdp.num_actions is not None else -math.inf
        if target is not None and not lowest <= target < highest:
            raise ValueError(
                f"target_entropy: expected nats from {lowest:g} to below {highest:.4g}, the entropy of uniform "
                f"actions, got {target!r}; no policy has it, and the temperature would run away"
            )

    def init(self, model: TrajectoryModel, seed: int = 0) -> SoftActorCriticState:
        """The state before the first step."""
        return build_state(self, model, seed)

    def step(self, model: TrajectoryModel, state: SoftActorCriticState) -> dict[str, float]:
        """About 100 environment steps in place, with their updates; metrics are means over them.

        Raises:
            DivergenceError: a loss or a weight is not finite.
        """
        n = self.environments
        rounds = min(max(1, STEPS_A_CALL // n), (self.steps - state.number) // n)
        with threads(self.threads):
            metrics = play(self, state, rounds)
        metrics = state.sums.metrics() | metrics
        record(state.history, state.number, metrics)
        return metrics

    def finished(self, state: SoftActorCriticState) -> bool:
        """Whether too few steps are left for one more of every environment."""
        return self.steps - state.number < self.environments

    def solution(self, model: TrajectoryModel, state: SoftActorCriticState) -> Solution:
        """The policy, with its bound from fresh episodes at the temperature reached."""
        return answer(
            model,
            self,
            deepcopy(state.policy),
            temperature=state.temperature if self.temperature == "learned" else model.temperature,
            history=state.history,
            seed=state.answer_seed,
            episodes=self.episodes,
        )
