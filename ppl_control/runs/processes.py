"""Workers that are processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ppl_control.runs.outcomes import Ended, Gone, Ready, Report
from ppl_control.runs.plan import Job
from ppl_control.runs.shipping import Bench, Shipper, opened

__all__ = ["Processes"]

PATIENCE = 5.0  # seconds that a process has to end when it is asked to


@dataclass(frozen=True, eq=False)
class _Hand:
    process: BaseProcess
    line: Connection


class Processes:
    """Warm processes, each with a pipe of its own: one that dies takes no other with it, and it is known which.

    Args:
        workers: how many.
        keep: hand the solutions out too.
    """

    def __init__(self, workers: int, keep: bool = False) -> None:
        self._workers, self._keep, self._hired = workers, keep, 0
        self._hands: dict[int, _Hand] = {}
        self._waiting: set[int] = set()  # for the first word
        self._shipper = Shipper()

    def size(self) -> int:
        """As many as were asked for."""
        return self._workers

    def hire(self) -> int:
        """Start a process anew, not as a copy of this one: torch's threads do not survive that."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._keep), daemon=False)
        with _unheard(signal.SIGINT):  # Ctrl-C reaches the whole terminal; who stops is this process's say
            process.start()
        theirs.close()
        worker, self._hired = self._hired, self._hired + 1
        self._hands[worker] = _Hand(process, ours)
        self._waiting.add(worker)
        return worker

    def give(self, worker: int, job: Job) -> None:
        """Send a job; a worker that has died in the meantime is reported as any other."""
        parcel = pickle.dumps(self._shipper.pack(worker, job))
        try:
            self._hands[worker].line.send_bytes(parcel)
        except OSError:
            return

    def reports(self, seconds: float) -> Sequence[Report]:
        """Words, runs and deaths."""
        places = {hand.line: worker for worker, hand in self._hands.items()}
        places |= {hand.process.sentinel: worker for worker, hand in self._hands.items()}
        heard = dict.fromkeys(places[place] for place in wait(list(places), seconds))  # type: ignore[index]
        return [self._heard(worker) for worker in heard]

    def _heard(self, worker: int) -> Report:
        hand = self._hands[worker]
        try:
            if not hand.line.poll():
                raise EOFError
            answer = hand.line.recv_bytes()  # also the last word of one that has died since
        except (EOFError, OSError):
            return self._buried(worker)
        if worker in self._waiting:
            self._waiting.remove(worker)
            return Ready(worker, pickle.loads(answer))
        return Ended(worker, opened(answer))

    def _buried(self, worker: int) -> Gone:
        hand = self._hands.pop(worker)
        self._waiting.discard(worker)
        hand.line.close()
        code = _stopped(hand.process)
        if code is not None and code < 0:
            return Gone(worker, f"its process was ended by {signal.Signals(-code).name}")
        return Gone(worker, f"its process ended with exit code {code}")

    def close(self) -> None:
        """End every process."""
        for hand in self._hands.values():
            hand.process.terminate()
        for hand in self._hands.values():
            _stopped(hand.process)
            hand.line.close()
        self._hands.clear()


@contextmanager
def _unheard(number: signal.Signals) -> Iterator[None]:
    """Keep a signal waiting; a process that is started meanwhile never hears it, from its first instruction on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stopped(process: BaseProcess) -> int | None:
    """The exit code of a process that has ended, or is about to."""
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    code = process.exitcode
    process.close()
    return code


def _work(line: Connection, keep: bool) -> None:
    """What a worker's process does: runs, until the line is closed or the parent has died."""
    os.dup2(2, 1)  # standard output is the parent's
    threading.Thread(target=_end_with_parent, daemon=True).start()
    bench = Bench(keep)
    try:
        line.send_bytes(pickle.dumps(bench.versions()))
        while True:
            packed, model = pickle.loads(line.recv_bytes())
            line.send_bytes(bench.make(packed, model))
    except (EOFError, OSError):  # nobody is at the other end
        return


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
