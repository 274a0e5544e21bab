"""Cloning where a table does not reach: the likelihood of the actions under a policy with parameters."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ppl_control.inference.reinforcement.checks import require_finite
from ppl_control.interruption import interruptible
from ppl_control.inverse.cloning.blurring import Blur
from ppl_control.inverse.cloning.warm_up import distance, has_slope
from ppl_control.inverse.demonstrations.decisions import Decisions
from ppl_control.randomness import RandomStream
from ppl_control.threads import threads

if TYPE_CHECKING:
    from ppl_control.inverse.cloning.method import BehaviourCloning

__all__ = ["fit_by_likelihood"]

EVERY = 50  # steps between two looks at what was held out


@threads(1)
def fit_by_likelihood(
    method: BehaviourCloning, policy: nn.Module, decisions: Decisions, blur: Blur, seed: int
) -> tuple[dict[str, list[float]], bool]:
    """Train a policy in place to give the demonstrated actions the highest log-probability.

    Least squares come first where the policy has a mode to lead (see ``warm_up``). The policy that is left is the one
    that did best on the decisions held out, or the last without any.

    Args:
        method: the settings.
        policy: q(a|s, t).
        decisions: on the policy's device.
        blur: noise on the actions, drawn anew in each step.
        seed: of what is held out, minibatches and noise.

    Returns:
        ``loss`` and ``held_out_loss``, mean −log π(a|s), nats a decision, every 50 steps; and False where Ctrl-C ended
        the fit.

    Raises:
        ValueError: a demonstrated action that the policy cannot take.
        DivergenceError: the loss is not finite.
    """
    with (
        RandomStream(seed),
        torch.enable_grad(),
        interruptible() as interrupted,
    ):  # gradients also where the caller has switched gradients off
        learned, held_out = _split(decisions, method.held_out)
        with torch.no_grad():
            seen = blur(decisions)
            decisions.refuse(~_log_prob(policy, seen).isfinite(), "the policy gives this action no probability")
        return _climb(method, policy, learned, None if held_out is None else blur(held_out), blur, interrupted)


def _climb(
    method: BehaviourCloning,
    policy: nn.Module,
    learned: Decisions,
    held_out: Decisions | None,
    blur: Blur,
    interrupted: Callable[[], bool],
) -> tuple[dict[str, list[float]], bool]:
    parameters = [p for p in policy.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=method.learning_rate, weight_decay=method.weight_decay)
    warm = int(method.warm_up * method.steps) if has_slope(policy, learned) else 0
    history: dict[str, list[float]] = {"loss": []} | ({} if held_out is None else {"held_out_loss": []})
    best, reached, found = torch.inf, 0, None
    total, finished = torch.zeros((), device=learned.t.device), True
    for number in range(1, method.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = method.learning_rate * (1 - (number - 1) / method.steps)
        optimizer.zero_grad(set_to_none=True)
        batch = blur(_batch(learned, method.batch_size))
        loss = -_log_prob(policy, batch).mean()
        (distance(policy, batch) if number <= warm else loss).backward()
        optimizer.step()
        total = total + loss.detach()
        if interrupted() and number < method.steps:
            finished = False
            break
        if number % EVERY and number < method.steps:
            continue
        history["loss"].append(float(total) / (number % EVERY or EVERY))
        require_finite(number, loss=history["loss"][-1], **dict(policy.named_parameters()))
        total = torch.zeros_like(total)
        if held_out is None:
            continue
        with torch.no_grad():
            now = -float(_log_prob(policy, held_out).mean())
        history["held_out_loss"].append(now)
        if now < best:
            best, reached, found = now, number, deepcopy(policy.state_dict())
        elif number - max(reached, warm) >= method.patience:
            break
    if found is not None:
        policy.load_state_dict(found)
    return history, finished


def _log_prob(policy: nn.Module, decisions: Decisions) -> Tensor:
    return policy(decisions.states, decisions.t).log_prob(decisions.actions)


def _batch(decisions: Decisions, size: int) -> Decisions:
    if len(decisions) <= size:
        return decisions
    return decisions.taken(torch.randint(len(decisions), (size,)).to(decisions.t.device))


def _split(decisions: Decisions, share: float) -> tuple[Decisions, Decisions | None]:
    """What is learned from and what is held out: whole trajectories where there are enough, else single decisions."""
    numbers = decisions.trajectory.unique()
    whole = share * len(numbers) >= 1
    units = numbers if whole else torch.arange(len(decisions), device=numbers.device)
    out = units[torch.randperm(len(units)).to(units.device)[: int(share * len(units))]]
    if not len(out):
        return decisions, None
    held = torch.isin(decisions.trajectory if whole else torch.arange(len(decisions), device=out.device), out)
    return decisions.taken(~held), decisions.taken(held)
