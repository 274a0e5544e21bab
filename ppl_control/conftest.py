"""Seeds the package's doctests, each anew."""

import pyro
import pytest


@pytest.fixture(autouse=True)
def _seeded() -> None:
    pyro.set_rng_seed(0)  # torch, numpy and random
