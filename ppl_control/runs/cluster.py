"""Workers that are actors on a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ppl_control.runs.outcomes import Ended, Gone, Ready, Report
from ppl_control.runs.plan import Job
from ppl_control.runs.shipping import Bench, Shipper, opened

__all__ = ["RayCluster"]

KNOCK = 10.0  # seconds to wait for an answer


class RayCluster:
    """Actors, one a worker, wherever the cluster has room; results come back to this process.

    Args:
        address: of the cluster, as ``ray.init`` takes it: ``"auto"``, ``"host:6379"``, ``"ray://host:10001"``, or
            ``"local"`` for one that is started here. Where Ray is connected already, that connection is used.
        workers: how many at most; None: as many as the cluster has room for at any time.
        cores: that a worker takes.
        keep: hand the solutions out too.

    Raises:
        ValueError: Ray is not installed, or no cluster answers.
    """

    def __init__(self, address: str, workers: int | None, cores: int, keep: bool = False) -> None:
        self._ray = _ray()
        self._connected = not self._ray.is_initialized()
        if self._connected:
            _connect(self._ray, address)
        self._kind = self._ray.remote(num_cpus=cores, max_restarts=0, max_task_retries=0)(Bench)
        self._workers, self._cores, self._keep, self._hired = workers, cores, keep, 0
        self._actors: dict[int, Any] = {}
        self._promises: dict[Any, int] = {}  # of a first word or a run → worker
        self._waiting: set[int] = set()  # for the first word
        self._shipper = Shipper()

    def size(self) -> int:
        """How many find room; at least one, since a cluster may be about to grow."""
        room = int(self._ray.cluster_resources().get("CPU", 0) // self._cores)
        return max(1, room if self._workers is None else min(room, self._workers))

    def hire(self) -> int:
        """Ask the cluster for an actor; it may take its time to find room."""
        worker, self._hired = self._hired, self._hired + 1
        self._actors[worker] = self._kind.remote(self._keep)
        self._promises[self._actors[worker].versions.remote()] = worker
        self._waiting.add(worker)
        return worker

    def give(self, worker: int, job: Job) -> None:
        """Send a job."""
        packed, model = self._shipper.pack(worker, job)
        self._promises[self._actors[worker].make.remote(packed, model)] = worker

    def reports(self, seconds: float) -> Sequence[Report]:
        """Words, runs, and actors that are lost: alone, or with their node."""
        kept, _ = self._ray.wait(list(self._promises), num_returns=1, timeout=seconds)
        return [self._heard(promise) for promise in kept]

    def _heard(self, promise: Any) -> Report:
        worker = self._promises.pop(promise)
        try:
            found = self._ray.get(promise)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(self._actors.pop(worker))  # should it live: what it makes now is not wanted
            self._waiting.discard(worker)
            return Gone(worker, _reason(error))
        if worker in self._waiting:
            self._waiting.remove(worker)
            return Ready(worker, found)
        return Ended(worker, opened(found))

    def close(self) -> None:
        """End the actors, and the connection where it was made here."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        self._promises.clear()
        if self._connected:
            self._ray.shutdown()


def _ray() -> Any:
    try:
        import ray
        import ray.exceptions
        import ray.util
    except ImportError as error:
        raise ValueError(f"address: a cluster needs Ray: pip install 'ppl-control[ray]' ({error})") from error
    return ray


def _connect(ray: Any, address: str) -> None:
    _knock(ray, address)
    with _without_usage_statistics():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            raise ValueError(f"address: no Ray cluster at {address!r}: {error}") from error


def _knock(ray: Any, address: str) -> None:
    """Ray itself would knock for two minutes where nobody is at home."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return  # a name, or nothing that Ray will take
    if host in ("localhost", "127.0.0.1", "[::1]"):
        host = ray.util.get_node_ip_address()  # where Ray looks for it
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"address: no Ray cluster at {address!r}: {error}") from error


@contextmanager
def _without_usage_statistics() -> Iterator[None]:
    """A cluster that is started here reports to nobody, unless the user's environment says otherwise."""
    name = "RAY_USAGE_STATS_ENABLED"
    given = name in os.environ
    os.environ.setdefault(name, "0")
    try:
        yield
    finally:
        if not given:
            del os.environ[name]


def _reason(error: Exception) -> str:
    """The first line of what Ray says, which goes on for twenty."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
