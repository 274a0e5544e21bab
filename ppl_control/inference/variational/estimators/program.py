"""Estimators that run Pyro programs: by score function, and Pyro's own."""

from __future__ import annotations

import math
from typing import Any

import torch
from pyro.infer import Trace_ELBO
from torch import Tensor

from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.variational import score
from ppl_control.inference.variational.estimators.base import AdamSettings, Answer
from ppl_control.inference.variational.estimators.tabular import TabularScore
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.program_rollout import plate_depth

__all__ = ["ProgramScore", "PyroElbo"]

FINAL_RUNS = 16384  # runs of a program on batches that its final bound is estimated from
FINAL_SINGLE_RUNS = 256  # the same for programs that run one trajectory at a time


class ProgramScore:
    """The score-function gradient from n runs of a program."""

    name = "score"

    def check(self, guide: Any) -> None:
        """Any guide whose sites are the model's will do."""

    def adam(self, guide: Any) -> AdamSettings:
        """As for sampled tables where the policy is one."""
        table = isinstance(guide.policy, TabularPolicy)
        return AdamSettings(0.1, (0.9, 0.99), 1e-2) if table else AdamSettings(0.01, (0.9, 0.99))

    def loss(self, guide: Any, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """One batch."""
        return *score.program_loss(guide.model, guide, n), baseline

    @torch.no_grad()
    def answer(self, guide: Any, n: int) -> Answer:
        """From fresh runs."""
        runs = FINAL_RUNS if guide.model.program.batched else FINAL_SINGLE_RUNS
        totals, _ = score.program_loss(guide.model, guide, max(runs, n))
        return Answer(float(totals.mean()), float(totals.std() / len(totals) ** 0.5))


class PyroElbo:
    """Pyro's ``Trace_ELBO`` on the per-site program: slow, and the reference for everything else.

    Args:
        final: what reports the fitted guide.
    """

    name = "pyro"

    def __init__(self, final: Any) -> None:
        self.final = final

    def check(self, guide: Any) -> None:
        """Batches of programs must be equally long, and every site must be in the guide."""
        if guide.model.horizon is None:
            raise ValueError("estimator: 'pyro' needs a horizon: batches of programs must be equally long")
        if getattr(guide, "left_out", ()):
            raise ValueError(f"estimator: 'pyro' needs every site in the guide; {guide.left_out} are not: use 'score'")

    def adam(self, guide: Any) -> AdamSettings:
        """As for the score estimator."""
        return (TabularScore() if isinstance(guide, TabularGuide) else ProgramScore()).adam(guide)

    def loss(self, guide: Any, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """One batch."""
        model = guide.model
        batched = model.program.batched
        pyro_elbo = Trace_ELBO(
            num_particles=n,
            vectorize_particles=batched,
            max_plate_nesting=plate_depth(model) if batched else math.inf,
        )
        loss = pyro_elbo.differentiable_loss(model.model, guide)
        return -loss.detach(), loss, baseline

    def answer(self, guide: Any, n: int) -> Answer:
        """As the fast estimator of the same guide."""
        return self.final.answer(guide, n)
