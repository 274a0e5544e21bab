"""What makes a run this run, whatever process or day it is made in."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from typing import Any

import cloudpickle
import numpy as np
import torch

from ppl_control.inference import checkpoint
from ppl_control.runs.plan import Job, Variant
from ppl_control.runs.workshop import versions

__all__ = ["identity"]

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def identity(job: Job) -> dict[str, str]:
    """Names and settings, the model's fingerprint, numbers inside the method (of policies), seed, and versions.

    How many threads it may use is no part of it.

    Raises:
        ValueError: a part shows itself by its address in memory, and so as another one each time.
    """
    try:
        parts = checkpoint.identity(job.model.made, job.method.made, job.seed)
    except TypeError as error:
        raise ValueError(f"methods: {job.method.label!r} is no dataclass, so its settings are not known") from error
    run = {
        "model variant": _named(job.model),
        "method variant": _named(job.method),
        "fingerprint": job.model.made.fingerprint,
        "numbers": _numbers(job.method),
        "episodes": str(int(job.episodes)),
        "versions": _listed(versions()),
        **parts,
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


def _numbers(method: Variant) -> str:
    """A digest of every tensor and array inside a method, in the order in which pickle finds them."""
    digest = hashlib.sha256()

    class Reader(cloudpickle.Pickler):
        def persistent_id(self, obj: Any) -> str | None:
            if isinstance(obj, torch.Tensor):
                obj = obj.detach().cpu().numpy()
            if not isinstance(obj, np.ndarray):
                return None
            digest.update(f"{obj.dtype} {obj.shape}".encode() + np.ascontiguousarray(obj).tobytes())
            return "numbers"

    try:
        Reader(io.BytesIO()).dump(method.made)
    except Exception as error:
        raise ValueError(f"methods: {method.label!r} must be picklable for its runs to be kept: {error}") from error
    return digest.hexdigest()
