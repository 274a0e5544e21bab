"""The reward as a latent variable: a Pyro program whose factor is the likelihood of the demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyro
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, biject_to

from ppl_control.inverse.demonstrations.counts import Counts
from ppl_control.inverse.exact.objectives import OBJECTIVES
from ppl_control.inverse.rewards.base import Reward
from ppl_control.inverse.world import Called, World
from ppl_control.mdp.continuous import in_pyro

__all__ = ["priors_of", "reward_program", "starting"]

FAR = 10.0  # free units: a start beyond it, of a parameter that is not free, is on the edge of its support


def reward_program(
    reward: Reward, priors: Mapping[str, Any], likelihood: str, world: World, counts: Counts
) -> Callable[[], dict[str, Tensor]]:
    """p(ψ) p(demonstrations | ψ), sites named as the reward's parameters.

    Args:
        reward: whose parameters are drawn.
        priors: p(ψ), one distribution a parameter.
        likelihood: ``"conditional"`` or ``"trajectory"``; see ``objectives``.
        world: the model without its reward.
        counts: of the demonstrations.
    """
    objective = OBJECTIVES[likelihood]

    def program() -> dict[str, Tensor]:
        values = {name: pyro.sample(name, prior) for name, prior in priors.items()}
        paid = world.pay(Called(reward, values))
        pyro.factor("demonstrations", log_likelihood(paid))
        return values

    def log_likelihood(paid: Tensor) -> Tensor:
        try:
            return counts.trajectories * objective(world, counts, paid)
        except ValueError:  # the posterior's fixed point diverges there: such rewards explain nothing
            return 0.0 * paid.sum() - torch.inf

    return program


def starting(reward: Reward, priors: Mapping[str, Any]) -> dict[str, Tensor]:
    """The reward's own parameters, and where the prior rules these out its mean."""
    return {name: _inside(value.detach().clone(), priors[name]) for name, value in reward.named_parameters()}


def _inside(value: Tensor, prior: Any) -> Tensor:
    free = biject_to(prior.support)
    try:
        mean = prior.mean.expand(value.shape).clone()
    except NotImplementedError:
        mean = value
    for found in (value, mean):
        # On the edge of the support the free parameter is infinite, or so large that nothing moves it.
        if bool(prior.support.check(found).all()) and _is_free(prior, found):
            return found
    return free(torch.zeros_like(free.inv(mean)))


def _is_free(prior: Any, value: Tensor) -> bool:
    """Whether a value inside the support is away from its edge."""
    moved = biject_to(prior.support).inv(value)
    return bool(moved.isfinite().all()) and (torch.equal(moved, value) or bool((moved.abs() < FAR).all()))


def priors_of(reward: Reward, prior: Any) -> dict[str, Any]:
    """One distribution a parameter, with its shape as event shape.

    Raises:
        ValueError: no distribution, a parameter without one, or one of another shape; the message names it.
    """
    shapes = dict(reward.named_parameters())
    if isinstance(prior, Distribution):
        prior = dict.fromkeys(shapes, prior)
    if not isinstance(prior, Mapping):
        raise ValueError(f"prior: expected a distribution, or one for each of {list(shapes)}, got {prior!r}")
    for name in (*shapes, *prior):
        if name not in prior or name not in shapes:
            raise ValueError(f"prior: expected one for each of {list(shapes)}, got {list(prior)}")
    return {name: _shaped(name, prior[name], like) for name, like in shapes.items()}


def _shaped(name: str, given: Any, like: Tensor) -> Any:
    if not isinstance(given, Distribution):
        raise ValueError(f"prior: expected a distribution for {name}, got {given!r}")
    if given.support is None or given.support.is_discrete:
        raise ValueError(f"prior: expected a distribution over real numbers for {name}, got {given}")
    found: Any = in_pyro(_in_precision(given, like.dtype), f"prior of {name}")
    shape = like.shape
    batch = shape[: len(shape) - len(found.event_shape)]
    try:
        found = found.expand(batch).to_event(len(batch))
    except RuntimeError:
        found = None
    if found is None or found.event_shape != shape:
        raise ValueError(f"prior: the one of {name} does not have its shape {list(shape)}: {given}")
    return found


def _in_precision(given: Any, dtype: torch.dtype) -> Any:
    """The same distribution over numbers of another precision: ``Normal(0.0, 1.0)`` is float32 unasked."""
    if isinstance(given, Independent):
        return _in_precision(given.base_dist, dtype).to_event(given.reinterpreted_batch_ndims)
    kind = type(given)  # of two names for one thing, such as probs and logits, only one is there yet
    named = [n for n in given.arg_constraints if n in vars(given) or isinstance(getattr(kind, n, None), property)]
    settings = {n: getattr(given, n) for n in named}
    if not settings or not all(isinstance(value, Tensor) for value in settings.values()):
        return given
    return kind(**{n: value.to(dtype) for n, value in settings.items()})
