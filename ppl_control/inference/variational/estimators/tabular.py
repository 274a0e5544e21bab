"""Estimators for guides on tables: exact, and from sampled trajectories."""

from __future__ import annotations

import torch
from torch import Tensor

from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.exact.recursions import elbo
from ppl_control.inference.exact.stationary.posterior import posterior_fixed_point
from ppl_control.inference.variational import exact_bound, score
from ppl_control.inference.variational.estimators.base import AdamSettings, Answer
from ppl_control.policies.tabular import TabularPolicy

__all__ = ["TabularExact", "TabularScore"]


class TabularExact:
    """The exact ELBO and gradient by the recursions; natural gradient for policies that are tables."""

    name = "enumerate"

    def check(self, guide: TabularGuide) -> None:
        """A posterior without a horizon must exist."""
        _check_posterior(guide)

    def adam(self, guide: TabularGuide) -> AdamSettings:
        """An exact gradient shrinks by orders of magnitude as the policy hardens: old squares are forgotten soon."""
        return AdamSettings(0.3 if isinstance(guide.policy, TabularPolicy) else 0.01, (0.9, 0.9))

    def loss(self, guide: TabularGuide, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Nothing is drawn."""
        return *exact_bound.elbo_and_loss(guide), baseline

    def has_natural(self, guide: TabularGuide) -> bool:
        """A free table for every time step, or a stationary one without a horizon; not families of one's own."""
        if type(guide) is not TabularGuide or not isinstance(guide.policy, TabularPolicy):
            return False
        return guide.policy.horizon == guide.model.horizon

    def natural_step(self, guide: TabularGuide, rate: float) -> tuple[Tensor, float]:
        """Along the natural gradient."""
        return exact_bound.natural_step(guide, rate)

    def answer(self, guide: TabularGuide, n: int) -> Answer:
        """Exact."""
        return _tabular_answer(guide)


class TabularScore:
    """The score-function gradient from n trajectories, with a learned soft value as baseline."""

    name = "score"

    def check(self, guide: TabularGuide) -> None:
        """A posterior without a horizon must exist."""
        _check_posterior(guide)

    def adam(self, guide: TabularGuide) -> AdamSettings:
        """A sampled gradient is mostly noise where a table is hardly ever visited: eps keeps that small."""
        table = isinstance(guide.policy, TabularPolicy)
        return AdamSettings(0.1, (0.9, 0.99), 1e-2) if table else AdamSettings(0.01, (0.9, 0.99))

    def loss(self, guide: TabularGuide, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """One batch."""
        return score.tabular_loss(guide, n, baseline)

    def answer(self, guide: TabularGuide, n: int) -> Answer:
        """Exact, whatever the fit was made with."""
        return _tabular_answer(guide)


@torch.no_grad()
def _tabular_answer(guide: TabularGuide) -> Answer:
    tables, q = guide.model.tables, guide.tables()
    value, action_value = exact_bound.values(tables, q)
    bound = elbo(tables, q, value if tables.horizon is None else value[0])
    return Answer(float(bound), 0.0, value, action_value)


def _check_posterior(guide: TabularGuide) -> None:
    model = guide.model
    if model.horizon is None and not guide.fixes_dynamics:
        posterior_fixed_point(model.tables, repr(model.action_prior))  # raises where it diverges
