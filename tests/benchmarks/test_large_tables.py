"""Large tables to a certified error of 1e-6: soft values here, hard ones by quantecon's modified policy iteration.

Run with ``make bench``. Both have the same model; quantecon's own preparation and compilation are not counted, ours is.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.benchmarks.large_tables_worker import TOLERANCE

MOST = 2.0  # times as long as the hard problem takes
MEMORY = 4.0  # GB, at a million states
PROBLEMS = [
    ("random", 10**5, 0.999),
    ("grid", 10**5, 0.99),
    ("grid", 10**5, 0.999),
    ("noisy grid", 10**5, 0.99),
    ("noisy grid", 10**5, 0.999),
    ("grid", 10**6, 0.99),
    ("random", 10**6, 0.99),
]


def solved(name: str, states: int, discount: float, who: str) -> dict[str, float]:
    """What a process of its own needs for it."""
    command = [sys.executable, "-m", "tests.benchmarks.large_tables_worker", name, str(states), str(discount), who]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


@pytest.mark.parametrize(("name", "states", "discount"), PROBLEMS)
def test_large_tables(name: str, states: int, discount: float, benchmark):
    pytest.importorskip("quantecon", reason="pip install 'ppl-control[bench]'")
    ours = benchmark.pedantic(lambda: solved(name, states, discount, "ours"), rounds=1)
    theirs = solved(name, states, discount, "quantecon")
    benchmark.extra_info.update({"ours": ours, "quantecon": theirs})
    print(
        f"\n{name:<10} {states:>8} states, γ = {discount}: soft {ours['seconds']:6.2f} s, error {ours['error']:.0e}, "
        f"peak {ours['peak']:.2f} GB; hard (quantecon) {theirs['seconds']:6.2f} s, error {theirs['error']:.0e}, "
        f"peak {theirs['peak']:.2f} GB; {ours['seconds'] / theirs['seconds']:.2f} times as long"
    )
    assert ours["error"] <= TOLERANCE
    assert ours["peak"] < MEMORY
    assert ours["seconds"] < MOST * theirs["seconds"]
