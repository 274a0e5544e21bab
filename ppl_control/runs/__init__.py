"""Runs: what one is, where they are made, and how their results are kept."""

from ppl_control.runs.conduct import Counts, conduct, crew_of
from ppl_control.runs.display import display
from ppl_control.runs.outcomes import CrewError, Failed, Finished, Outcome
from ppl_control.runs.plan import Job, Plan, Variant, named_methods, named_models
from ppl_control.runs.results import Results
from ppl_control.runs.run import MEASURES, Run
from ppl_control.runs.table import COLUMNS, KEYS, tabulate
from ppl_control.runs.workshop import versions

__all__ = [
    "COLUMNS",
    "MEASURES",
    "Counts",
    "CrewError",
    "Failed",
    "Finished",
    "KEYS",
    "Job",
    "Outcome",
    "Plan",
    "Results",
    "Run",
    "Variant",
    "conduct",
    "crew_of",
    "display",
    "named_methods",
    "named_models",
    "tabulate",
    "versions",
]
