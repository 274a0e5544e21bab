"""A driver on a cluster of two nodes on this machine, one core each, to which harm is done; a script.

Arguments: the folder of the marks, and that of the results. On standard output: the table and what was done, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ppl_control import sweep
from tests.runs.marked import Marked, opened, processes, walk

KILL, HELD = 15, 50  # runs begun when a worker is killed; the first seed that waits until a node is removed
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
ATTENTIVE = {  # how soon a silent node counts as dead; the default is half a minute
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
    "health_check_timeout_ms": 1000,
}


def begun(log: Path) -> list[Path]:
    """The marks, oldest first."""
    return sorted(log.iterdir(), key=lambda mark: mark.stat().st_mtime_ns)


def harm(cluster: Any, node: Any, log: Path, done: dict[str, Any]) -> None:
    """Kill the process of the latest run; once another works in its place, remove a node and the run it makes."""
    while len(begun(log)) < KILL:
        time.sleep(0.02)
    done["killed"] = begun(log)[-1].name
    os.kill(int(done["killed"].split(".")[1]), signal.SIGKILL)
    while len(processes(log)) < 3:
        time.sleep(0.02)
    cluster.remove_node(node, allow_graceful=False)
    done["removed"] = len(begun(log))
    opened(log).touch()


def main(log: Path, out: str) -> dict[str, Any]:
    """Sweep 64 fits while harm is done."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=NODE | {"_system_config": ATTENTIVE})
    try:
        node, done = cluster.add_node(**NODE), dict[str, Any]()
        threading.Thread(target=harm, args=(cluster, node, log, done), daemon=True).start()
        method = {"marked": Marked(str(log), pause=0.2, held=HELD)}
        table = sweep(walk(), method, seeds=range(64), workers=None, address=cluster.address, folder=out).table
        return {"rows": table.to_dict("list"), **done}
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # where Ray tells of its losses
        found = main(Path(sys.argv[1]), sys.argv[2])
    print(json.dumps(found))
