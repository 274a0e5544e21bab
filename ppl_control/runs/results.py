"""Results on disk: one file a run."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

from ppl_control.files import open_regular, whole_file
from ppl_control.runs.identity import identity
from ppl_control.runs.outcomes import Failed, Finished, Outcome
from ppl_control.runs.plan import Job, Variant
from ppl_control.runs.run import MEASURES
from ppl_control.settings import shown

__all__ = ["Results"]

NAME = 60  # characters of a file's name that are for people


class Results:
    """A folder of finished and failed runs, each in a file named after its identity and written whole.

    ``….json`` holds the numbers of a finished run, ``….failed.json`` the error of one whose own code raised: remove
    the latter, and the run is tried again. Other files in the folder are left alone.

    Args:
        folder: made where it is not there.

    Raises:
        ValueError: it is no folder, and cannot be made one.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            self.folder = Path(folder)
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(f"folder: {shown(str(folder))} is a file, expected a folder") from error
        except (TypeError, ValueError, OSError) as error:
            raise ValueError(f"folder: expected a folder to write in, got {shown(folder)}: {error}") from error
        self._pairs: dict[tuple[Variant, Variant, int], dict[str, str]] = {}

    def find(self, job: Job) -> Outcome | None:
        """What is kept of a job; None where nothing is.

        Raises:
            ValueError: its file cannot be read, or is another run's: somebody else wrote it, so it is not replaced.
        """
        run, stem = self._known(job)
        for path, read in ((self.folder / f"{stem}.json", _finished), (self.folder / f"{stem}.failed.json", _failed)):
            try:
                with open_regular(path) as file:
                    kept = json.load(file)
                if kept["run"] != run:
                    raise ValueError("it belongs to another run")
                return read(kept)
            except FileNotFoundError:
                continue
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                raise ValueError(
                    f"folder: {path} is no result of {job}: {type(error).__name__}: {error}; move it away, "
                    "and the run is made again"
                ) from error
        return None

    def keep(self, job: Job, outcome: Outcome, attempts: int) -> None:
        """Write a run's file; runs that were given up leave none, and are tried again the next time."""
        run, stem = self._known(job)
        if isinstance(outcome, Failed):
            if outcome.given_up:
                return
            stem, found = f"{stem}.failed", {"error": outcome.error, "trace": outcome.trace}
        else:
            found = {"measures": {name: _written(value) for name, value in outcome.measures.items()}}
        with whole_file(self.folder / f"{stem}.json", "w") as file:
            kept = {"run": run, **found, "attempts": attempts, "worker": outcome.worker}
            json.dump(kept, file, indent=1, allow_nan=False)

    def _known(self, job: Job) -> tuple[dict[str, str], str]:
        pair = job.model, job.method, job.episodes
        if pair not in self._pairs:  # a digest of a large model takes its time
            self._pairs[pair] = identity(job)
        run = self._pairs[pair] | {"seed": str(job.seed)}
        digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:20]
        words = re.sub(r"[^A-Za-z0-9.=]+", "-", f"{job.model.label} {job.method.label}")[:NAME].strip("-.")
        return run, f"{words}-{job.seed}-{digest}"


def _finished(kept: dict[str, Any]) -> Finished:
    found = kept["measures"]
    if list(found) != list(MEASURES):
        raise ValueError(f"expected the numbers {', '.join(MEASURES)}")
    return Finished({name: _read(name, found[name]) for name in MEASURES}, str(kept["worker"]))


def _failed(kept: dict[str, Any]) -> Failed:
    return Failed(str(kept["error"]), str(kept["worker"]), str(kept["trace"]))


def _written(value: float) -> float | str:
    """JSON has no number for what is infinite or missing."""
    return value if math.isfinite(value) else str(value)


def _read(name: str, value: object) -> float:
    if isinstance(value, bool) or not (isinstance(value, int | float) or value in ("inf", "-inf", "nan")):
        raise ValueError(f"{name}: expected a number, got {value!r}")
    return float(value)  # type: ignore[arg-type]
