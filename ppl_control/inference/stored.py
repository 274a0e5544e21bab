"""Nested values and tensors in one file of data: reading it can run nothing, whoever wrote it.

No pickle: those have been made to run code also where they were read with torch's ``weights_only`` (CVE-2025-32434).
The layout is that of safetensors: eight bytes with the header's length, the header as JSON, the tensors one after the
other. What is no tensor stands as JSON in the header's ``__metadata__``, beside a digest of the whole file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ppl_control.files import open_regular, whole_file

__all__ = ["read_values", "write_values"]

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
MOST_AXES = 64
UNKNOWN = "0" * 64  # stands for the digest while it is computed


def write_values(path: str | Path, kind: str, values: Any) -> None:
    """Write nested dicts, lists and tuples of tensors, numbers, text, dtypes and None, whole or not at all.

    Args:
        path: the file.
        kind: what it is and which version of that, e.g. ``"ppl_control.Solution/3"``.
        values: what to write; tensors end on the CPU.

    Raises:
        TypeError: something else among the values.
    """
    tensors: list[Tensor] = []
    about = {"format": kind, "values": json.dumps(_encoded(values, tensors)), "digest": UNKNOWN}
    entries: dict[str, Any] = {"__metadata__": about}
    end = 0
    for number, tensor in enumerate(tensors):
        begin, end = end, end + tensor.numel() * tensor.element_size()
        entries[str(number)] = {
            "dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]
        }  # fmt: skip
    header = json.dumps(entries).encode()
    digest = _Digest(header)
    blocks = [tensor.reshape(-1).view(torch.uint8).numpy().data for tensor in tensors if tensor.numel()]
    for block in blocks:
        digest.update(block)
    with whole_file(path) as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header.replace(UNKNOWN.encode(), digest.text.encode(), 1))
        for block in blocks:
            file.write(block)


def read_values(path: str | Path, kind: str) -> Any:
    """What ``write_values`` wrote.

    Memory stays in proportion to the file, whatever it claims to hold.

    Raises:
        ValueError: no regular file, one that may not be read, or none of this kind, whole and unchanged; the message
            says what is wrong with it.
        FileNotFoundError: there is none.
    """
    try:
        with open_regular(path) as file:
            return _read(file, kind)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, RuntimeError, TypeError) as error:
        raise ValueError("its header makes no sense") from error


def _read(file: BinaryIO, kind: str) -> Any:
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= size - 8:
        raise ValueError("it is cut short, or something else")
    header = file.read(length)
    entries = json.loads(header)
    about = entries.pop("__metadata__")
    if about["format"] != kind:
        raise ValueError(f"its format is {str(about['format'])[:60]!r}, expected {kind!r}")
    digest = _Digest(header.replace(str(about["digest"]).encode(), UNKNOWN.encode(), 1))
    tensors: list[Tensor] = []
    end = 0
    for number in range(len(entries)):
        tensor, end = _tensor(file, entries[str(number)], end, size - 8 - length, digest)
        tensors.append(tensor)
    if end != size - 8 - length:
        raise ValueError("there is more in it than its header says")
    if digest.text != about["digest"]:
        raise ValueError("it was changed or damaged after it was written")
    left = iter(tensors)
    values = _decoded(json.loads(about["values"]), left)
    if next(left, None) is not None:
        raise ValueError("it holds tensors that belong nowhere")
    return values


def _tensor(file: BinaryIO, entry: Any, begin: int, size: int, digest: _Digest) -> tuple[Tensor, int]:
    """The next tensor and where it ends; nothing is allocated before the file is known to be long enough."""
    dtype, shape, (start, end) = DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
    if len(shape) > MOST_AXES or not all(type(n) is int and 0 <= n < 2**63 for n in (*shape, start, end)):
        raise ValueError("a tensor's size is none")
    if start != begin or not start <= end <= size or math.prod(shape) * dtype.itemsize != end - start:
        raise ValueError("a tensor is not as large as it claims to be")
    content = bytearray(end - start)
    if file.readinto(content) != end - start:  # type: ignore[attr-defined]
        raise ValueError("it is cut short")
    digest.update(content)
    if dtype is torch.bool and content.translate(None, b"\0\1"):
        raise ValueError("a truth value is neither true nor false")
    found = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
    return found.reshape(shape), end


class _Digest:
    """Of a header whose digest is not known yet, and of the tensors that follow."""

    def __init__(self, header: bytes) -> None:
        self._hash = hashlib.sha256(header)

    def update(self, block: Any) -> None:
        self._hash.update(block)

    @property
    def text(self) -> str:
        return self._hash.hexdigest()


def _encoded(value: Any, tensors: list[Tensor]) -> Any:
    """As JSON; an object has one entry, which says what it stands for."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Tensor):
        if value.dtype not in NAMES or value.layout is not torch.strided:
            raise TypeError(f"a tensor of {value.dtype}, {value.layout}, cannot be stored")
        tensors.append(value.detach().cpu().contiguous())
        return {"tensor": len(tensors) - 1}
    if isinstance(value, list | tuple) and value and all(isinstance(entry, float) for entry in value):
        tensors.append(torch.tensor(value, dtype=torch.float64))  # a history: as long as the run
        return {f"{type(value).__name__} of floats": len(tensors) - 1}
    if isinstance(value, list):
        return [_encoded(entry, tensors) for entry in value]
    if isinstance(value, tuple):
        return {"tuple": [_encoded(entry, tensors) for entry in value]}
    if isinstance(value, dict):
        return {"dict": [[_encoded(n, tensors), _encoded(entry, tensors)] for n, entry in value.items()]}
    if isinstance(value, torch.dtype):
        return {"dtype": NAMES[value]}
    raise TypeError(f"a {type(value).__name__} cannot be stored: {value!r:.200}")


def _decoded(value: Any, tensors: Any) -> Any:
    """Back again; each tensor has its one place, in order, so that nothing grows by being named often."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list):
        return [_decoded(entry, tensors) for entry in value]
    ((tag, content),) = value.items()
    if tag == "tensor":
        return next(tensors)
    if tag == "list of floats":
        return next(tensors).tolist()
    if tag == "tuple of floats":
        return tuple(next(tensors).tolist())
    if tag == "tuple":
        return tuple(_decoded(entry, tensors) for entry in content)
    if tag == "dict":
        return {_decoded(name, tensors): _decoded(entry, tensors) for name, entry in content}
    if tag == "dtype":
        return DTYPES[content]
    raise ValueError(f"it holds {str(tag)[:40]!r}, which is unknown")
