"""Where the sites of a graphical model stand on paper."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from ppl_control.plotting.sites import SiteGraph
from ppl_control.trajectory.roles import family, time_index

__all__ = ["Place", "place_sites"]

Place = tuple[float, float]

STEP = 2.0  # between s_t and s_{t+1}
ROW = 1.25
APART = 1.4  # sites that are closer to each other crowd
CLEAR = 0.7  # so do a site and an edge that passes it


def place_sites(graph: SiteGraph) -> dict[str, Place]:
    """A place for every site: time from left to right, actions above, states in the middle, optimality below.

    All other sites are put where they and their edges keep clear of the rest; those of one family at the same
    distance from their states.
    """
    families = list(dict.fromkeys(family(n) for n, role in graph.roles.items() if role == "state"))
    others_too = any(role in ("latent", "reward") and time_index(n) is not None for n, role in graph.roles.items())
    places: dict[str, Place] = {}
    others: dict[str, dict[str, float]] = {}  # family → site → x of its time
    for name, role in graph.roles.items():
        t = time_index(name)
        x = STEP * ((t or 0) - graph.start)
        if role == "state":
            places[name] = (x, -ROW * families.index(family(name)))
        elif role == "action":
            places[name] = (x + STEP / 2, ROW)
        elif role == "optimality":
            places[name] = (x + STEP / 2, -ROW * (max(len(families), 1) + others_too))
        else:
            others.setdefault(name if t is None else family(name), {})[name] = 0.0 if t is None else x
    for group in sorted(others.values(), key=len, reverse=True):
        timeless = any(time_index(name) is None for name in group)
        places |= _free_places(group, graph, places, timeless)
    return places


def _free_places(
    group: Mapping[str, float], graph: SiteGraph, places: dict[str, Place], timeless: bool
) -> dict[str, Place]:
    """The least crowded places for one more family of sites, given the sites that stand already."""
    taken = np.array(list(places.values()) or [(0.0, 0.0)])
    (left, low), (right, high) = taken.min(0), taken.max(0)
    left, right = (left - STEP / 2, right + STEP / 2) if timeless else (-STEP / 4, STEP)
    aim = np.array([(left + right) / 2, 0.0])
    best, least = {}, float("inf")
    steps = itertools.product(np.arange(left, right + 0.01, 0.25), np.arange(low - ROW, high + ROW + 0.01, ROW / 4))
    for dx, dy in steps:
        trial = places | {name: (x + float(dx), float(dy)) for name, x in group.items()}
        cost = _crowd(graph, trial, set(group)) + 0.05 * float(np.hypot(*(np.array([dx, dy]) - aim)))
        if cost < least:
            best, least = {name: trial[name] for name in group}, cost
    return best


def _crowd(graph: SiteGraph, places: Mapping[str, Place], new: set[str]) -> float:
    """How much the new sites and their edges disturb, and are disturbed."""
    names = list(places)
    number = {name: i for i, name in enumerate(names)}
    spots = np.array(list(places.values()))
    fresh = np.array([name in new for name in names])
    gaps = np.hypot(*(spots[fresh][:, None] - spots).transpose(2, 0, 1))
    cost = float((np.where(gaps > 0, np.maximum(0.0, APART - gaps), 0.0) ** 2).sum())
    ends = np.array([(number[a], number[b]) for a, b in graph.edges if a in number and b in number])
    if len(ends):
        apart = np.arange(len(names))[:, None, None] != ends
        concerned = apart.all(-1) & (fresh[:, None] | fresh[ends].any(-1))
        passing = np.maximum(0.0, CLEAR - _distances(spots, spots[ends[:, 0]], spots[ends[:, 1]]))
        cost += 4 * float((concerned * passing**2).sum())
    return cost


def _distances(points: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """From every point to every segment, [point, segment]."""
    along = ends - starts
    offset = points[:, None] - starts
    part = np.clip((offset * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9), 0, 1)
    return np.hypot(*(offset - part[..., None] * along).transpose(2, 0, 1))
