"""A panel's series, timed on one thread."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from ppl_control.threads import threads
from tests.benchmarks.growth.records import Record, recorded
from tests.benchmarks.growth.series import Panel, forget
from tests.benchmarks.growth.timing import timed

__all__ = ["measured"]


def measured(panel: Panel) -> list[Record]:
    """One record a series; large models are made before the clock runs, and let go in the end."""
    with threads(1), threadpool_limits(1):  # torch's, and those of NumPy and SciPy
        records = [
            recorded(panel, series, timed([series.case(size) for size in panel.sizes])) for series in panel.series
        ]
    forget()
    return records
