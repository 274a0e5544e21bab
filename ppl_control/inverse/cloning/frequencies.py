"""Cloning on tables: how often each action was taken, drawn towards the action prior."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inverse.demonstrations.counts import Counts
from ppl_control.inverse.demonstrations.decisions import decisions_of
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["counted", "log_frequencies", "log_prior_of"]


def log_frequencies(
    counts: Float[Tensor, "*T S A"], log_prior: Float[Tensor, "*T S A"], pseudo_count: float
) -> Float[Tensor, "*T S A"]:
    """Log π(a|s) = log (n(s,a) + c π0(a|s)) / (n(s) + c), log π0 where nothing was seen and c = 0.

    The mean of the posterior under the Dirichlet prior c π0(·|s).

    Example:
        >>> counts = torch.tensor([[3.0, 0.0], [0.0, 0.0]])
        >>> log_frequencies(counts, torch.full((2, 2), 0.5).log(), 1.0).exp().tolist()
        [[0.875, 0.125], [0.5, 0.5]]
    """
    seen = counts + pseudo_count * log_prior.exp()
    total = seen.sum(-1, keepdim=True)
    return torch.where(total > 0, seen.log() - total.log(), log_prior)


def log_prior_of(model: TrajectoryModel, timed: bool) -> Float[Tensor, "*T S A"]:
    """Normalised log π0 of a tabular model; index order [t, s, a] where the policy is ``timed``, else [s, a].

    Raises:
        ValueError: π0 depends on time and the policy does not.
    """
    prior = torch.log_softmax(model.tables.log_prior, -1)
    if timed or model.horizon is None:
        return prior
    if not torch.equal(prior, prior[:1].expand_as(prior)):
        raise ValueError("action_prior: the model's depends on time; clone with timed=True")
    return prior[0]


def counted(model: TrajectoryModel, given: Any, timed: bool, log_prior: Tensor) -> Float[Tensor, "*T S A"]:
    """How often each action was taken in each state, at each time where the policy is ``timed``.

    Raises:
        ValueError: states, actions or times that are not the model's, or actions that π0 rules out; the message names
            trajectory and step.
    """
    if isinstance(given, Counts):
        return _of_counts(given, log_prior)
    found = decisions_of(given, model)
    place: tuple[Tensor, ...] = (found.states, found.actions)
    if timed:
        found.refuse(found.t >= len(log_prior), f"the model has a horizon of {len(log_prior)} decisions")
        place = (found.t, *place)
    found.refuse((log_prior.cpu()[place] == -torch.inf), "the model's action prior rules this action out")
    place = tuple(index.to(log_prior.device) for index in place)
    one = log_prior.new_ones(len(found))
    return torch.zeros_like(log_prior).index_put(place, one, accumulate=True)


def _of_counts(given: Counts, log_prior: Tensor) -> Tensor:
    counts = given.decisions.to(log_prior)
    if counts.ndim > log_prior.ndim:
        counts = counts.sum(0)
    if counts.shape != log_prior.shape:
        raise ValueError(
            f"demonstrations: expected counts of shape {list(log_prior.shape)}, got {list(given.decisions.shape)}"
        )
    impossible = (counts > 0) & (log_prior == -torch.inf)
    if bool(impossible.any()):
        place = impossible.nonzero()[0].tolist()
        raise ValueError(f"demonstrations: the model's action prior rules out the action counted at {place}")
    return counts
