"""What makes a run this run, whatever process or day it is made in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from ppl_control.inference import checkpoint
from ppl_control.runs.plan import Job, Variant
from ppl_control.runs.workshop import versions

__all__ = ["identity"]

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def identity(job: Job) -> dict[str, str]:
    """Names and settings, those of a checkpoint (the model's fingerprint and a policy's numbers among them), versions.

    How many threads it may use is no part of it.

    Raises:
        ValueError: a part shows itself by its address in memory, and so as another one each time.
    """
    if not is_dataclass(job.method.made):
        raise ValueError(f"methods: {job.method.label!r} is no dataclass, so its settings are not known")
    parts = checkpoint.identity(job.model.made, job.method.made, job.seed)
    run = {f"fit: {name}": value for name, value in parts.items() if name != "seed"} | {
        "model": _named(job.model),
        "method": _named(job.method),
        "fingerprint": job.model.made.fingerprint,
        "seed": str(job.seed),
        "episodes": str(job.episodes),
        "versions": _listed(versions()),
    }
    for name, value in run.items():
        found = ADDRESS.search(value)
        if found:
            raise ValueError(
                f"{job}: its {name} is known by an address in memory alone ({value}), which tomorrow is another: "
                "give it a __repr__"
            )
    return run


def _named(variant: Variant) -> str:
    return f"{variant.name}({_listed(variant.settings)})"


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in sorted(settings.items()))
