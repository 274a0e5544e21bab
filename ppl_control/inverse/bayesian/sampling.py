"""Draws from a posterior by Pyro: NUTS, or a Gaussian fitted by SVI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyro
import torch
from pyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from pyro.infer.autoguide import AutoMultivariateNormal, init_to_value
from pyro.optim import ClippedAdam
from torch import Tensor

from ppl_control.inference.base import DivergenceError
from ppl_control.inference.progress import progress_bar
from ppl_control.randomness import RandomStream

if TYPE_CHECKING:
    from ppl_control.inverse.bayesian.method import BayesianIRL

__all__ = ["Draws", "by_nuts", "by_svi"]

PARTICLES = 4  # of each step of SVI


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of every parameter, [chain, draw, *shape]; ``stats`` by draw, [chain, draw]; ``history`` by step."""

    values: Mapping[str, Tensor]
    stats: Mapping[str, np.ndarray] = field(default_factory=dict)
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def by_nuts(
    method: BayesianIRL, program: Callable[[], Any], start: Mapping[str, Tensor], seed: int, progress: bool
) -> Draws:
    """Chains of the no-U-turn sampler, with a dense metric."""
    chains, diverging = [], []
    streams = np.random.SeedSequence(seed % 2**63).generate_state(method.chains).tolist()
    each = method.warmup + method.samples
    with progress_bar("BayesianIRL, NUTS", each * method.chains, shown=progress) as advance:
        for k, stream in enumerate(streams):
            made = [0]

            def tell(kernel: Any, values: Any, stage: str, i: int, k: int = k, made: list[int] = made) -> None:
                made[0] += 1
                advance(k * each + made[0], {})

            with RandomStream(stream), pyro.get_param_store().scope(), torch.enable_grad():
                kernel = NUTS(program, full_mass=True, init_strategy=init_to_value(values=dict(start)))
                chain = MCMC(kernel, method.samples, method.warmup, disable_progbar=True, hook_fn=tell)
                chain.run()
            chains.append(chain.get_samples())
            late = torch.zeros(method.samples, dtype=torch.bool)
            late[chain.diagnostics()["divergences"]["chain 0"]] = True
            diverging.append(late.numpy())
    values = {name: torch.stack([chain[name] for chain in chains]).detach() for name in chains[0]}
    return Draws(values, {"diverging": np.stack(diverging)})


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
        with progress_bar("BayesianIRL, SVI", method.steps, shown=progress) as advance:
            for step in range(1, method.steps + 1):
                loss: Any = svi.step()
                losses.append(float(loss))
                if not np.isfinite(losses[-1]):
                    raise DivergenceError(f"step {step}: the bound is {-losses[-1]}; lower the learning rate")
                advance(step, {"bound": -losses[-1]})
        with torch.no_grad():
            found = [guide() for _ in range(method.samples)]
    values = {name: torch.stack([draw[name] for draw in found])[None].detach() for name in found[0]}
    return Draws(values, history={"bound": tuple(-loss for loss in losses)})
