"""The package stays light until a picture is asked for."""

import subprocess
import sys


def test_matplotlib_is_not_imported() -> None:
    code = "import sys, ppl_control.plotting; print([m for m in ('matplotlib', 'daft') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
