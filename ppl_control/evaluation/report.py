"""Believed return, executed return, optimism: what a solution expects against what it gets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ppl_control.evaluation.believed import believed_walk
from ppl_control.evaluation.executed import executed_walk
from ppl_control.evaluation.walk import NOTHING, Walk
from ppl_control.inference.base import Solution
from ppl_control.randomness import RandomStream
from ppl_control.settings import shown, truth, whole
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What a guide believes and what its policy gets; reward units, standard errors 0 where exact.

    Attributes:
        believed_return: E_q[Σ r] under the guide, in the model it was fitted to, until the guide believes that it ends:
            E_q[Σ γᵗ r] where it keeps the dynamics, survival included; who learns them believes in survival too.
        executed_return: E[Σ γᵗ r] of its policy in the model given to ``evaluate``; NaN without a policy.
        episode_return: E[Σ r] of its policy to termination or horizon, without the discount; NaN where that
            does not end.
        entropy: E[Σ γᵗ H(q(a_t|s_t))] of the executed policy, nats; NaN where it is not known: plans in continuous
            worlds, particles' plans, and policies that plan anew.
        believed_return_stderr: standard error of the believed return.
        executed_return_stderr: standard error of the executed return.
        episode_return_stderr: standard error of the episodes' return.
        believed_states: q(s_t = s), index order [t, s], shape [T+1, S]; what is missing from 1 has ended.
            Without a horizon the expected number of decisions in each state, [S]. None for programs.
        executed_states: the same for the executed policy.
    """

    believed_return: float
    executed_return: float
    episode_return: float
    entropy: float
    believed_return_stderr: float = 0.0
    executed_return_stderr: float = 0.0
    episode_return_stderr: float = 0.0
    believed_states: Tensor | None = None
    executed_states: Tensor | None = None

    @property
    def optimism(self) -> float:
        """Believed minus executed return: what the guide hopes of luck, reward units."""
        return self.believed_return - self.executed_return

    @property
    def optimism_stderr(self) -> float:
        """Standard error of the optimism; the two returns are computed apart."""
        return float((self.believed_return_stderr**2 + self.executed_return_stderr**2) ** 0.5)


@torch.no_grad()
def evaluate(
    solution: Solution,
    model: TrajectoryModel,
    *,
    episodes: int = 1000,
    seed: int = 0,
    deterministic: bool = False,
) -> Evaluation:
    """Hold a solution's beliefs against what its policy gets.

    Args:
        solution: what ``infer`` returned.
        model: where to execute the policy; it may differ from the model fitted to (a perturbed one).
        episodes: simulated episodes, where nothing can be computed; ``RecedingHorizon`` in a
            continuous model has a limit of its own.
        seed: seed of the simulation.
        deterministic: execute the policy's mode.

    Raises:
        ValueError: the policy does not fit the model, or ``episodes`` is less than 2.
    """
    if not isinstance(solution, Solution):
        raise ValueError(f"solution: expected what infer returned, got {shown(solution)}")
    if not isinstance(model, TrajectoryModel):
        raise ValueError(f"model: expected a TrajectoryModel, got {shown(model)}")
    episodes, deterministic = whole("episodes", episodes, 2), truth("deterministic", deterministic)
    with RandomStream(seed):
        believed = believed_walk(solution, episodes)
        executed = undiscounted = executed_walk(solution, model, episodes, deterministic)
        if executed.undiscounted is not None:
            undiscounted = Walk(*executed.undiscounted, entropy=executed.entropy)
        elif model.discount < 1 and model.mdp is not None:
            undiscounted = _undiscounted(solution, model.replaced(discount=1.0), episodes, deterministic)
    return Evaluation(
        believed_return=believed.value,
        executed_return=executed.value,
        episode_return=undiscounted.value,
        entropy=executed.entropy,
        believed_return_stderr=believed.stderr,
        executed_return_stderr=executed.stderr,
        episode_return_stderr=undiscounted.stderr,
        believed_states=believed.states,
        executed_states=executed.states,
    )


def _undiscounted(solution: Solution, model: TrajectoryModel, episodes: int, deterministic: bool) -> Walk:
    try:
        return executed_walk(solution, model, episodes, deterministic)
    except ValueError:
        if model.horizon is not None:
            raise
        return NOTHING  # this policy may never end an episode
