"""Behaviour cloning: the plain alternative to inverse reinforcement learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from ppl_control.inference.base import Solution
from ppl_control.inverse.cloning.blurring import Blur
from ppl_control.inverse.cloning.building import make_policy, solution_of
from ppl_control.inverse.cloning.frequencies import counted, log_frequencies, log_prior_of
from ppl_control.inverse.cloning.likelihood import fit_by_likelihood
from ppl_control.inverse.demonstrations.decisions import decisions_of
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.randomness import check_seed
from ppl_control.settings import require_real, require_whole, require_widths, truth
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["BehaviourCloning"]


@dataclass(frozen=True)
class BehaviourCloning:
    """Maximise the mean of log π(a|s) over the demonstrated decisions: do what was done, whatever it was for.

    No reward is learned, so there is nothing to carry over where the world or the aim changes, and in states that the
    demonstrator never met the policy knows nothing. The model's reward is only used to say what the policy is worth:
    the solution holds its ELBO in the model, which ``evaluate`` and ``compare`` set beside that of other methods.

    On tables the policy is π(a|s) = (n(s,a) + c π0(a|s)) / (n(s) + c), the mean of the posterior under the Dirichlet
    prior c π0; states that were never seen follow π0. Elsewhere, or where a policy is given, Adam climbs the
    likelihood, and the policy that does best on what was held out is kept.

    Args:
        policy: a recipe, copied and never trained itself; None: frequencies on tables, a linear-Gaussian policy where
            the world is linear-Gaussian, else a network's categorical or Gaussian (squashed between bounds).
        pseudo_count: c, how many decisions a state's prior is worth; 0: the frequencies as they are. For tables.
        timed: the policy depends on the time of the decision, where the model has a horizon. False: stationary.
        hidden: widths of the hidden layers.
        steps: gradient steps at most.
        batch_size: decisions in a step, drawn with replacement; all of them where there are no more.
        learning_rate: Adam's, which falls linearly to 0.
        weight_decay: share of the weights that is taken off for each unit of learning rate (decoupled).
        held_out: share that is not learned from and tells when to stop: of the trajectories, or of the decisions where
            that makes less than one trajectory. 0: all steps are made.
        patience: steps without a better policy on what was held out after which to stop.
        warm_up: share of the steps that first lead the policy's mode to the actions by least squares, where actions are
            vectors and the policy has one; likelihood alone leaves out what is hard to learn.
        resolution: share of their range to which actions that are vectors are taken to be known: noise of this size is
            added to them, without which the likelihood of a noiseless demonstrator has no maximum.
        episodes: fresh ones that the solution's bound is estimated from, in simulators.

    Raises:
        ValueError: a setting out of its range.

    References:
        Pomerleau (1989); Ross and Bagnell (2010), on how errors compound.

    Example:
        >>> import torch
        >>> from ppl_control.models import hiking
        >>> walk = [(11, 3, 6), (6, 3, 1)]
        >>> clone = BehaviourCloning(pseudo_count=0.5).fit(hiking.model(), [walk, walk])
        >>> clone.policy(torch.tensor(11)).probs.max().item()
        0.85
    """

    policy: nn.Module | None = None
    pseudo_count: float = 1.0
    timed: bool = False
    hidden: Sequence[int] = (64, 64)
    steps: int = 5_000
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    held_out: float = 0.1
    patience: int = 1_000
    warm_up: float = 0.5
    resolution: float = 0.01
    episodes: int = 100

    def __post_init__(self) -> None:
        if self.policy is not None and not isinstance(self.policy, nn.Module):
            raise ValueError(f"policy: expected a module such as CategoricalMLP, got {self.policy!r}")
        require_whole(self, {"steps": 1, "batch_size": 1, "patience": 1, "episodes": 2})
        require_real(self, ["pseudo_count", "weight_decay"], least=0)
        require_real(self, ["learning_rate"], above=0)
        require_real(self, ["held_out", "warm_up"], least=0, below=1)
        require_real(self, ["resolution"], least=0, below=0.25)
        truth("timed", self.timed)
        require_widths(self)

    def fit(self, model: TrajectoryModel, demonstrations: Any, *, seed: int = 0) -> Solution:
        """The cloned policy in the model.

        Ctrl-C ends the fit after the step in flight: the policy is the best so far, and ``finished`` is False. A fit
        takes seconds, and has no checkpoint; one whose ``policy`` is the one found goes on from there.

        Args:
            model: the world that was acted in: a table, a simulator or a continuous world.
            demonstrations: ``Demonstrations``, our own sampled trajectories, lists of (state, action, next state), a
                Minari dataset, or for tables ``Counts``.
            seed: of the initial weights, what is held out, the minibatches and the episodes of the bound.

        Returns:
            A solution with the ``policy``; its ``log_evidence_bound`` is the policy's ELBO, exact on tables. Its
            ``history`` holds the losses, nats a decision; ``exact`` is False, since nothing was optimised in the model.

        Raises:
            ValueError: a model of no MDP, a policy or demonstrations that do not fit it (the message names trajectory
                and step), or episodes that might never end.
            DivergenceError: the loss left the finite numbers.
        """
        self._check(model)
        seed = check_seed(seed)
        if model.is_tabular and self.policy is None:
            log_prior = log_prior_of(model, self.timed)
            counts = counted(model, demonstrations, self.timed, log_prior)
            table = TabularPolicy(log_frequencies(counts, log_prior, self.pseudo_count))
            return solution_of(model, self, table, {}, seed)
        policy = make_policy(model, self, seed)
        found = decisions_of(demonstrations, model)
        horizon = getattr(policy, "horizon", None)
        if horizon is not None:
            found.refuse(found.t >= horizon, f"the policy knows {horizon} times")
        found = found.to(next(policy.parameters()).device)
        space = None if model.is_tabular else model.mdp.action_space
        blur = Blur(space, found.actions, self.resolution)
        history, finished = fit_by_likelihood(self, policy, found, blur, seed)
        return replace(solution_of(model, self, policy, history, seed), finished=finished)

    def _check(self, model: TrajectoryModel) -> None:
        if not isinstance(model, TrajectoryModel):
            raise ValueError(f"model: expected a TrajectoryModel, got {type(model).__name__}")
        if model.mdp is None:
            raise ValueError("model: expected one of an MDP, got a program, whose states have no common form")
        if self.timed and model.horizon is None:
            raise ValueError("timed: the model has no horizon, so that there is no end to the times")
