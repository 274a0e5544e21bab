"""Reports: how near a learned reward and its policy come to the demonstrator."""

from ppl_control.inverse.reports.distances import occupancy, occupancy_distance, policy_distance
from ppl_control.inverse.reports.report import report
from ppl_control.inverse.reports.shaping import reward_correlation, without_shaping
from ppl_control.inverse.reports.visited import visited

__all__ = [
    "occupancy",
    "occupancy_distance",
    "policy_distance",
    "report",
    "reward_correlation",
    "visited",
    "without_shaping",
]
