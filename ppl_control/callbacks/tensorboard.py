"""Metrics for TensorBoard."""

from __future__ import annotations

from pathlib import Path

from ppl_control.callbacks.evaluations import Evaluations
from ppl_control.inference.base import Step
from ppl_control.settings import shown

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes every metric of a run as a scalar; ``tensorboard --logdir FOLDER`` shows them.

    Args:
        folder: where the event files go; one folder a run.
        evaluations: whose results to write too; name it before this one in ``callbacks``.

    Raises:
        ValueError: the package tensorboard is not installed, a path that is no folder's, or no ``Evaluations``.
    """

    def __init__(self, folder: str | Path, evaluations: Evaluations | None = None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ValueError(
                "TensorBoard: needs the package tensorboard; pip install 'ppl-control[tensorboard]'"
            ) from error
        if not isinstance(folder, str | Path) or (str(folder) and Path(folder).is_file()) or "\0" in str(folder):
            raise ValueError(f"folder: expected the path of a folder, got {shown(folder)}")
        if not isinstance(evaluations, Evaluations | None):
            raise ValueError(f"evaluations: expected Evaluations, got {shown(evaluations)}")
        self._writer = SummaryWriter(str(folder))
        self._evaluations, self._written = evaluations, 0

    def __call__(self, step: Step) -> None:
        """Write the metrics of one step."""
        for name, value in step.metrics.items():
            self._writer.add_scalar(f"train/{name}", value, step.number)
        if self._evaluations is not None:
            for number, mean, _ in self._evaluations.history[self._written :]:
                self._writer.add_scalar("evaluation/return", mean, number)
            self._written = len(self._evaluations.history)
        self._writer.flush()  # a killed run has written what it did
