"""The command as a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("ppl-control")


def test_json_alone_is_on_standard_output() -> None:
    arguments = ["compare", "hiking", "--methods", "posterior,fixed", "--json"]
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    rows = {row["method"]: row for row in json.loads(done.stdout)["rows"]}
    assert round(rows["posterior"]["executed"], 3) == 1.691
    assert round(rows["fixed_dynamics"]["executed"], 3) == 8.350
    assert "hiking: fixed_dynamics" in done.stderr


def test_an_error_has_no_traceback() -> None:
    done = subprocess.run([COMMAND, "compare", "nowhere"], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: MODEL: 'nowhere' is no worked problem")
