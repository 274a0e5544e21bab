"""What a solution expects against what it gets."""

from ppl_control.evaluation.report import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
