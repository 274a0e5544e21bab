"""Settings of hypothesis; shapes of the annotations checked where the arithmetic is; Ctrl-C heard."""

import signal
import sys

import jaxtyping
from hypothesis import HealthCheck, settings

from tests import shapes

# Where the arithmetic is; checking the programs' many small calls would cost more than it finds.
CHECKED = ["mdp", "inference.exact", "inverse.exact", "inference.variational.exact_bound", "trajectory.tables"]
sys.modules["shapes_of_tests"] = shapes  # the hook wants a name that pytest does not meddle with
if "--benchmark-only" not in sys.argv:  # the checks take time that no user spends
    jaxtyping.install_import_hook([f"ppl_control.{name}" for name in CHECKED], "shapes_of_tests.checked")

# What a shell starts in the background ignores Ctrl-C, and so would every program that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")
