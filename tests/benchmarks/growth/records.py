"""What was measured, kept in a file: one line a series."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ppl_control.comparison import versions
from ppl_control.files import whole_file
from tests.benchmarks.growth.exponents import Power, fitted
from tests.benchmarks.growth.series import SEED, Panel, Series
from tests.benchmarks.growth.timing import Timing

__all__ = ["Record", "read", "recorded", "table", "write"]


@dataclass(frozen=True)
class Record:
    """A series and its times.

    Attributes:
        symbol: of what grows.
        title: words for it.
        name: of the work.
        sizes: of what grows.
        seconds: a median for each.
        rounds: over so many.
        settings: what stayed the same; seed and threads too.
        versions: of what it ran on.
    """

    symbol: str
    title: str
    name: str
    sizes: Sequence[int]
    seconds: Sequence[float]
    rounds: Sequence[int]
    settings: Mapping[str, float]
    versions: Mapping[str, str]

    @property
    def power(self) -> Power:
        """Its exponent."""
        return fitted(self.sizes, self.seconds)


def recorded(panel: Panel, series: Series, timings: Sequence[Timing]) -> Record:
    """A record of what was timed just now."""
    sizes, seconds, rounds = zip(*timings, strict=True)
    settings = {**panel.settings, "seed": SEED, "threads": 1}
    used = versions() | {"scipy": version("scipy")}
    seconds = tuple(float(f"{x:.4g}") for x in seconds)
    return Record(panel.symbol, panel.title, series.name, sizes, seconds, rounds, settings, used)


def write(path: Path, records: Sequence[Record]) -> None:
    """One JSON object a line."""
    with whole_file(path, "w") as file:
        file.writelines(json.dumps(asdict(record), ensure_ascii=False) + "\n" for record in records)


def read(path: Path) -> list[Record]:
    """What ``write`` wrote."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Record(**row) for row in rows]


def table(records: Sequence[Record]) -> str:
    """Exponents with their standard errors, and where they come from."""
    lines = [f"{'against':>7}  {'work':<30} {'exponent':>15}  {'sizes fitted':>19}  {'of them':>7}  {'longest':>9}"]
    for record in records:
        power = record.power
        used = [size for size, fit in zip(record.sizes, power.used, strict=True) if fit]
        lines.append(
            f"{record.symbol:>7}  {record.name:<30} {power.exponent:7.3f} ± {power.stderr:.3f}  "
            f"{used[0]:>8} … {used[-1]:>8}  {len(used):>7}  {record.seconds[-1]:7.3f} s"
        )
    return "\n".join(lines)
