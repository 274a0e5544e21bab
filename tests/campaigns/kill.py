"""Kill fits at random moments and resume them: no unreadable file, and the same bits in the end.

python -m tests.campaigns.kill --kills 50 --seed 0
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ppl_control.inference.checkpoint import FORMAT
from ppl_control.inference.stored import read_values
from tests.campaigns.fits import FITS, fit

__all__ = ["Tally", "campaign"]

EARLY = 0.1  # share of the kills that may come before the fit has begun, while its process still gets ready
LONGEST = 300.0  # seconds that a fit may take before it hangs


@dataclass
class Tally:
    """What happened.

    Attributes:
        fits: name → fits that were killed, resumed and compared.
        kills: name → kills.
        while_writing: kills that left an incomplete file behind.
        before_any: kills before there was a checkpoint.
    """

    fits: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    while_writing: int = 0
    before_any: int = 0

    @property
    def total(self) -> int:
        """Kills."""
        return sum(self.kills.values())


def campaign(kills: int, seed: int = 0, names: Sequence[str] = tuple(FITS), *, told: bool = False) -> Tally:
    """Fits in turn, killed until there were so many kills and each fit had some; AssertionError where one is changed.

    Args:
        kills: at least.
        seed: of the moments.
        names: of the fits.
        told: print a line a fit.
    """
    rng, tally, undisturbed = np.random.default_rng(seed), Tally(), {}
    each = math.ceil(kills / len(names))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.campaigns.fits"])  # torch is imported once, not in every process
    with tempfile.TemporaryDirectory() as folder:
        while tally.total < kills or len(tally.kills) < len(names):
            for name in names:
                if tally.total >= kills and name in tally.kills:
                    continue
                if name not in undisturbed:
                    undisturbed[name] = _undisturbed(context, name, Path(folder) / f"{name} whole")
                _killed(context, name, Path(folder) / f"{name} {tally.total}", each, rng, tally, *undisturbed[name])
                if told:
                    print(f"{tally.total:4} kills; {name}: the same, after {tally.kills[name]}", flush=True)
    return tally


def _undisturbed(context: Any, name: str, folder: Path) -> tuple[dict[str, str], float]:
    """What the fit finds, and its seconds."""
    folder.mkdir()
    _run(context, name, folder).join(LONGEST)  # what is imported late is imported in the server now
    child = _run(context, name, folder, "again.pt")
    _wait_for_writing(child, folder / "again.pt")
    began = time.monotonic()
    found = _finished(child, name, folder)
    return found, time.monotonic() - began


def _wait_for_writing(child: Any, checkpoint: Path) -> None:
    """Until the fit has written its checkpoint: it does when it begins, or has resumed."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    while child.is_alive() and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
        child.join(0.001)


def _killed(
    context: Any,
    name: str,
    folder: Path,
    most: int,
    rng: np.random.Generator,
    tally: Tally,
    whole: dict[str, str],
    seconds: float,
) -> None:
    folder.mkdir()
    killed = 0
    while killed < most:
        child = _run(context, name, folder)
        if rng.uniform() > EARLY:
            _wait_for_writing(child, folder / "run.pt")
        child.join(rng.uniform(0, 0.6 * seconds))
        if not child.is_alive():
            break  # it came to its end between two kills
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        killed += child.exitcode == -signal.SIGKILL
        _look(folder, tally)
    found = _finished(_run(context, name, folder), name, folder)
    changed = [place for place in whole.keys() | found.keys() if whole.get(place) != found.get(place)]
    assert not changed, f"{name}: killed {killed} times and resumed, it differs in {sorted(changed)[:5]}"
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["found.json", "run.pt"], f"{name}: {left} are left behind"
    tally.kills[name] = tally.kills.get(name, 0) + killed
    tally.fits[name] = tally.fits.get(name, 0) + 1


def _look(folder: Path, tally: Tally) -> None:
    """After a kill: what stands under the checkpoint's name is whole."""
    kept = folder / "run.pt"
    if kept.exists():
        read_values(kept, FORMAT)  # a ValueError else
    else:
        tally.before_any += 1
    tally.while_writing += any(path.name.endswith(".part") for path in folder.iterdir())


def _run(context: Any, name: str, folder: Path, checkpoint: str = "run.pt") -> Any:
    child = context.Process(target=fit, args=(name, folder / checkpoint, folder / "found.json"))
    child.start()
    return child


def _finished(child: Any, name: str, folder: Path) -> dict[str, str]:
    child.join(LONGEST)
    if child.is_alive():
        child.kill()
        raise AssertionError(f"{name}: not finished after {LONGEST:g} s")
    assert child.exitcode == 0, f"{name}: ended with exit code {child.exitcode}"
    found = json.loads((folder / "found.json").read_text())
    assert found, f"{name}: found nothing"
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fits", default=",".join(FITS), help="names, with commas")
    given = parser.parse_args()
    began = time.monotonic()
    tally = campaign(given.kills, given.seed, given.fits.split(","), told=True)
    print(
        f"{tally.total} kills in {sum(tally.fits.values())} fits of {len(tally.fits)} kinds, {tally.while_writing} "
        f"while writing, {tally.before_any} before any checkpoint: no unreadable file, all bits the same; "
        f"{time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
