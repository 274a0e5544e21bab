"""What to do beside a run: ``infer(..., callbacks=[…])`` calls each every ``Step``; True from one ends it."""

from ppl_control.callbacks.evaluations import Evaluations
from ppl_control.callbacks.tensorboard import TensorBoard

__all__ = ["Evaluations", "TensorBoard"]
