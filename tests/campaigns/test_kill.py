"""Fits that are killed at any moment and resumed end as if nothing had happened."""

import pytest

from tests.campaigns.fits import FITS
from tests.campaigns.kill import campaign


def test_a_few():
    tally = campaign(4, seed=2, names=["adam", "soft_q_tables"])
    assert tally.total >= 4
    assert set(tally.kills) == {"adam", "soft_q_tables"}


@pytest.mark.slow
def test_fifty():
    tally = campaign(50)
    assert tally.total >= 50
    assert set(tally.kills) == set(FITS)
