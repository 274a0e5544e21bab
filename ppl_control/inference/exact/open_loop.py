"""Open-loop control, exactly: the best distribution over action sequences that see no state.

Trajectories may end early, and after the end there is no action, no reward and no entropy. What counts is
therefore soft value iteration on the tree of action prefixes, each weighted by the probability of still being
alive after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ppl_control.guides.plans.joint import MOST_SEQUENCES, check_size
from ppl_control.inference.exact.plan_walks import prefix_gain, survivors
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.tables import Tables

__all__ = ["Tree", "make_tree", "tree_bound", "tree_mode", "tree_optimum"]


@dataclass(frozen=True, eq=False)
class Tree:
    """What every action prefix is worth; a prefix's row is the number that its actions write in base A.

    Attributes:
        weight: w, the probability of being alive after the prefix, one table [A^t] a level.
        gain: Σ_s p(alive in s after the prefix) (E[r|s,a]/α + log π0(a|s)), nats, one table [A^t, A] a level;
            −inf where the prior rules the action out in a state that may be met.
    """

    weight: tuple[Tensor, ...]
    gain: tuple[Tensor, ...]


@torch.no_grad()
def make_tree(tables: Tables, most: int = MOST_SEQUENCES) -> Tree:
    """The tree of all action prefixes of a model with a horizon.

    Raises:
        ValueError: no horizon, or more than ``most`` sequences.
    """
    if tables.horizon is None:
        raise ValueError("horizon: action sequences need one; got None")
    check_size(tables.num_actions, tables.horizon, most)
    alive = tables.initial[None, :-1]
    weight, gain = [], []
    for t in range(tables.horizon):
        weight.append(alive.sum(-1))
        gain.append(prefix_gain(tables, alive, t))
        if t + 1 < tables.horizon:
            alive = survivors(tables, alive).flatten(0, 1)
    return Tree(tuple(weight), tuple(gain))


def tree_bound(tree: Tree, log_q: Sequence[Tensor]) -> Tensor:
    """The ELBO of a joint plan.  Σ_prefix q(prefix) Σ_a q(a|prefix) [gain − w log q(a|prefix)], nats

    Args:
        tree: the model's tree.
        log_q: log q(a | prefix), normalised, one table [A^t, A] a level.

    Returns:
        The bound, differentiable in ``log_q``; −inf where the plan may do what the prior rules out.
    """
    reach = torch.ones_like(tree.weight[0])
    bound = reach.new_zeros(())
    for weight, gain, level in zip(tree.weight, tree.gain, log_q, strict=True):
        q = level.exp()
        terms = gain - weight[:, None] * level
        terms = torch.where(reach[:, None] > 0, terms, 0.0)  # an unreached −inf must not meet a gradient of 0
        bound = bound + (reach * weighted(q, terms).sum(-1)).sum()
        reach = (reach[:, None] * q).reshape(-1)
    return bound


@torch.no_grad()
def tree_optimum(tree: Tree) -> tuple[tuple[Tensor, ...], float]:
    """The best joint plan.  U(prefix) = LSE_a[gain/w + (w(prefix a)/w) U(prefix a)], bound = w U of the root

    Returns:
        log q(a | prefix), one table [A^t, A] a level, uniform after prefixes that nobody survives or that the
        prior rules out; and the bound, nats; −inf where the prior rules out every plan.
    """
    levels: list[Tensor] = []
    ahead = torch.zeros_like(tree.gain[-1])  # w U of the prefixes one longer, [A^t, A]
    for weight, gain in zip(reversed(tree.weight), reversed(tree.gain), strict=True):
        used = weight > 0
        target = torch.where(used[:, None], gain + ahead, 0.0) / torch.where(used, weight, 1.0)[:, None]
        top = torch.logsumexp(target, -1)
        hopeless = (top == -torch.inf)[:, None]
        levels.append(torch.log_softmax(target.masked_fill(hopeless, 0.0), -1))
        worth = torch.where(used, weight * top, 0.0)
        ahead = worth.reshape(-1, gain.shape[1]) if len(worth) > 1 else worth
    return tuple(reversed(levels)), float(ahead)


@torch.no_grad()
def tree_mode(tree: Tree, log_q: Sequence[Tensor]) -> Int[Tensor, " T"]:
    """The likeliest sequence of a joint plan; what follows a prefix that nobody survives does not count."""
    ahead = torch.zeros_like(log_q[-1])
    scores = []
    for weight, level in zip(reversed(tree.weight), reversed(log_q), strict=True):
        scores.append(level + ahead)
        best = torch.where(weight > 0, scores[-1].max(-1).values, 0.0)
        ahead = best.reshape(-1, level.shape[1]) if len(best) > 1 else best
    prefix, actions = 0, []
    for score in reversed(scores):
        actions.append(int(score[prefix].argmax()))
        prefix = prefix * score.shape[1] + actions[-1]
    return torch.tensor(actions, device=tree.weight[0].device)
