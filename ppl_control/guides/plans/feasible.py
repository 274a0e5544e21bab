"""Where a plan may put mass at all, when the action prior rules actions out in some states."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ppl_control.trajectory.tables import Tables

__all__ = ["feasible_logits"]


def feasible_logits(tables: Tables) -> Float[Tensor, "T A"]:
    """Logits of a plan of independent actions to start from: 0, and −inf where an action is ruled out.

    A plan cannot see where it is, so an action must be allowed in all states that the plan may meet at that
    time. Kept is every action allowed in all states that the actions kept before may lead to; where none is
    left, one allowed sequence is searched for; where there is none, all actions are kept (the bound of any plan
    is then −∞).
    """
    assert tables.horizon is not None
    closed = tables.log_prior == -torch.inf
    logits = tables.initial.new_zeros(tables.horizon, tables.num_actions)
    if not bool(closed.any()):
        return logits
    reach = tables.initial[:-1] > 0
    for t in range(tables.horizon):
        kept = _allowed(closed[t], reach)
        if not bool(kept.any()):
            return _single(tables, closed)
        logits[t] = torch.where(kept, 0.0, -torch.inf)
        reach = _reached(tables, reach)[kept].any(0)
    return logits


def _allowed(closed: Bool[Tensor, "S A"], reach: Bool[Tensor, " S"]) -> Bool[Tensor, " A"]:
    return ~(closed & reach[:, None]).any(0)


def _reached(tables: Tables, reach: Bool[Tensor, " S"]) -> Bool[Tensor, "A S"]:
    """The states that each action may lead to from these."""
    live = (tables.outcomes.probability > 0) & reach[:, None, None]
    after = reach.new_zeros(tables.num_actions, tables.num_states + 1)
    _, action, _ = index = live.nonzero(as_tuple=True)
    after[action, tables.successor[index]] = True
    return after[:, :-1]


def _single(tables: Tables, closed: Bool[Tensor, "T S A"]) -> Float[Tensor, "T A"]:
    """One allowed sequence, by search in depth; sets of states known to lead nowhere are not entered again."""
    horizon, num_actions = closed.shape[0], closed.shape[2]
    hopeless: set[tuple[int, bytes]] = set()
    sets, sequence = [tables.initial[:-1] > 0], [-1]
    while sets:
        t = len(sets) - 1
        allowed = _allowed(closed[t], sets[t])
        after = _reached(tables, sets[t])
        for action in range(sequence[t] + 1, num_actions):
            key = (t + 1, after[action].numpy(force=True).tobytes())
            if bool(allowed[action]) and key not in hopeless:
                sequence[t] = action
                break
        else:
            hopeless.add((t, sets.pop().numpy(force=True).tobytes()))
            sequence.pop()
            continue
        if t + 1 == horizon:
            chosen = torch.tensor(sequence, device=closed.device)
            return torch.nn.functional.one_hot(chosen, num_actions).to(tables.initial).log()
        sets.append(after[sequence[t]])
        sequence.append(-1)
    return tables.initial.new_zeros(horizon, num_actions)
