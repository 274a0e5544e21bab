"""Checkpoints of fits of rewards with something else in one place."""

import pytest

from tests.inference.test_hostile_files import strange_states
from tests.interrupting import at_step, pressing
from tests.inverse.test_interruption import CART, CHAINS, HIKE, PLAYED, SAMPLED, WALKS


@pytest.mark.slow
def test_games(tmp_path):
    path = tmp_path / "a.pt"
    SAMPLED.fit(CART, PLAYED, progress=False, checkpoint=path, callbacks=[at_step(2)])
    strange_states(path, lambda: SAMPLED.fit(CART, PLAYED, progress=False, checkpoint=path), 100)


@pytest.mark.slow
def test_chains(tmp_path, monkeypatch):
    from pyro.infer import NUTS

    path = tmp_path / "a.pt"
    with monkeypatch.context() as patched:
        pressing(patched, NUTS, "sample", 10)  # in the second chain
        CHAINS.fit(HIKE, WALKS, progress=False, checkpoint=path)
    strange_states(path, lambda: CHAINS.fit(HIKE, WALKS, progress=False, checkpoint=path), 40)
