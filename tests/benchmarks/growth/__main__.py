"""Measure, save, draw and print: some minutes on one thread, 6 GB, on a machine that has nothing else to do.

python -m tests.benchmarks.growth
python -m tests.benchmarks.growth --only nnz T   # the other panels stay as saved
python -m tests.benchmarks.growth --only         # measure nothing: draw and print what is saved
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.benchmarks.growth.measuring import measured
from tests.benchmarks.growth.picture import plot_growth, save
from tests.benchmarks.growth.records import read, table, write
from tests.benchmarks.growth.series import PANELS

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "tests/benchmarks/results/growth.jsonl"
PICTURE = ROOT / "notebooks/pictures/growth.png"


def main() -> None:
    """One measurement of everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    symbols = [panel.symbol for panel in PANELS]
    parser.add_argument("--only", nargs="*", choices=symbols, default=symbols, help="panels that are measured anew")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    given = parser.parse_args()
    records = read(given.results) if given.results.exists() else []
    for panel in PANELS:
        if panel.symbol in given.only:
            begun = time.perf_counter()
            records = [record for record in records if record.symbol != panel.symbol] + measured(panel)
            print(f"{panel.title}: measured in {time.perf_counter() - begun:.0f} s", flush=True)
    records.sort(key=lambda record: symbols.index(record.symbol))
    write(given.results, records)
    print(table(records))
    save(plot_growth(records), given.picture, table(records))


if __name__ == "__main__":
    main()
