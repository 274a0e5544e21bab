"""What the benchmarks share: one thread, and a random table of 16 states and 4 actions."""

from __future__ import annotations

import pytest
import torch

from ppl_control import TabularMDP
from ppl_control.threads import threads

S, A = 16, 4


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with threads(1):
        yield


@pytest.fixture(scope="module")
def mdp() -> TabularMDP:
    generator = torch.Generator().manual_seed(0)
    transition = torch.rand(S, A, S, generator=generator, dtype=torch.float64) ** 4
    reward = torch.randn(S, A, generator=generator, dtype=torch.float64)
    return TabularMDP(torch.full((S,), 1 / S), transition / transition.sum(-1, keepdim=True), reward)
