"""Worked problems: one problem a file, each with a factory ``model(...)`` of its own settings.

Importing this registers each as a gymnasium environment too: ``gymnasium.make("ppl_control/NarrowBridge-v0")``.
"""

import importlib
import pkgutil
from typing import Any

import gymnasium

from ppl_control.mdp import MDPEnvironment


def _make(problem: str, **settings: Any) -> MDPEnvironment:
    model = importlib.import_module(f"{__name__}.{problem}").model(**settings)
    return MDPEnvironment(model.mdp, model.horizon)


def _register() -> None:
    for module in pkgutil.iter_modules(__path__):
        env_id = f"ppl_control/{module.name.title().replace('_', '')}-v0"
        if env_id not in gymnasium.registry:
            gymnasium.register(env_id, f"{__name__}:_make", kwargs={"problem": module.name})


_register()
