"""Draws from a posterior by Pyro, and those of a Gaussian fitted by SVI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyro
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoMultivariateNormal, init_to_value
from pyro.optim import ClippedAdam
from torch import Tensor

from ppl_control.inference.base import DivergenceError
from ppl_control.inference.progress import progress_bar
from ppl_control.interruption import interruptible
from ppl_control.randomness import RandomStream

if TYPE_CHECKING:
    from ppl_control.inverse.bayesian.method import BayesianIRL

__all__ = ["Draws", "by_svi"]

PARTICLES = 4  # of each step of SVI


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of every parameter, [chain, draw, *shape]; ``stats`` by draw, [chain, draw]; ``history`` by step.

    ``finished`` is False where Ctrl-C ended the fit.
    """

    values: Mapping[str, Tensor]
    stats: Mapping[str, np.ndarray] = field(default_factory=dict)
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    finished: bool = True


def by_svi(
    method: BayesianIRL, program: Callable[[], Any], start: Mapping[str, Tensor], seed: int, progress: bool
) -> Draws:
    """Draws from the Gaussian nearest to the posterior in KL(q ‖ p), over the unconstrained parameters."""
    losses: list[float] = []
    with RandomStream(seed), pyro.get_param_store().scope(), torch.enable_grad():
        guide = AutoMultivariateNormal(program, init_loc_fn=init_to_value(values=dict(start)), init_scale=0.1)
        decay = 0.01 ** (1 / method.steps)
        optimizer = ClippedAdam({"lr": method.learning_rate, "lrd": decay, "clip_norm": float("inf")})
        svi = SVI(program, guide, optimizer, Trace_ELBO(num_particles=PARTICLES))
        with (
            interruptible() as interrupted,
            progress_bar("BayesianIRL, SVI", method.steps, shown=progress, ending=interrupted) as advance,
        ):
            for step in range(1, method.steps + 1):
                loss: Any = svi.step()
                losses.append(float(loss))
                if not np.isfinite(losses[-1]):
                    raise DivergenceError(f"step {step}: the bound is {-losses[-1]}; lower the learning rate")
                advance(step, {"bound": -losses[-1]})
                if interrupted():
                    break
        with torch.no_grad():
            found = [guide() for _ in range(method.samples)]
    values = {name: torch.stack([draw[name] for draw in found])[None].detach() for name in found[0]}
    bounds = tuple(-loss for loss in losses)
    return Draws(values, history={"bound": bounds}, finished=len(bounds) == method.steps)
