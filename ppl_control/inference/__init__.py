"""How to infer: ``infer(model, method)``; one method a file."""

from ppl_control.inference.base import DivergenceError, Solution, Step, infer
from ppl_control.inference.exact.message_passing import MessagePassing, Messages, messages
from ppl_control.inference.exact.soft_value_iteration import SoftValueIteration
from ppl_control.inference.variational.svi import SVI

__all__ = [
    "SVI",
    "DivergenceError",
    "MessagePassing",
    "Messages",
    "SoftValueIteration",
    "Solution",
    "Step",
    "infer",
    "messages",
]
