"""Draws the README's pictures anew: `make outputs` calls it, after the notebooks have run."""

import base64
import json
from pathlib import Path

from ppl_control import MessagePassing, SoftValueIteration, TrajectoryModel, infer
from ppl_control.models import frozen_lake, hiking
from ppl_control.plotting import plot_beliefs

HERE = Path(__file__).parent
NOTEBOOK, CELL = "11_the_reward_from_behaviour.ipynb", "carried_out("  # whose picture the README shows


def beliefs(model: TrajectoryModel, name: str) -> None:
    """The posterior beside the best guide that fixes the dynamics."""
    methods = {"posterior": MessagePassing(), "fixed dynamics": SoftValueIteration()}
    figure = plot_beliefs({title: infer(model, method) for title, method in methods.items()})
    figure.savefig(HERE / name, dpi=150)


def from_notebook(notebook: str, cell: str, name: str) -> None:
    """The picture under the one cell that contains these words and has one."""
    cells = json.loads((HERE.parent / notebook).read_text(encoding="utf-8"))["cells"]
    pictures = [
        output["data"]["image/png"]
        for each in cells
        if cell in "".join(each["source"])
        for output in each.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    (picture,) = pictures
    (HERE / name).write_bytes(base64.b64decode(picture))


if __name__ == "__main__":
    beliefs(hiking.model(), "hiking_beliefs.png")
    beliefs(frozen_lake.model(), "frozen_lake_beliefs.png")
    from_notebook(NOTEBOOK, CELL, "reward_from_behaviour.png")
