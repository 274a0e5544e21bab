"""No more than in proportion: exponents of time against states, outcomes, horizon, particles and seeds.

Run with ``make bench``. ``python -m tests.benchmarks.growth`` measures the same, saves it and draws the picture.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.growth.measuring import measured
from tests.benchmarks.growth.records import table
from tests.benchmarks.growth.series import PANELS, Panel

DOUBLED = 2.5  # times the time that twice the size may take: caches overflow on the way
ERRORS = 2  # standard errors that an exponent may be too large by


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.symbol)
def test_time_grows_in_proportion(panel: Panel, benchmark):
    records = benchmark.pedantic(lambda: measured(panel), rounds=1)
    print(f"\n{table(records)}")
    benchmark.extra_info.update({record.name: record.power.exponent for record in records})
    doubled = {record.name: 2 ** (record.power.exponent - ERRORS * record.power.stderr) for record in records}
    assert {name: times for name, times in doubled.items() if times > DOUBLED} == {}
