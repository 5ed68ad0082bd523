"""The places of the ribbons and blocks of the flow: from message to message, by the event each ends with."""

from collections.abc import Iterable, Mapping
from typing import Any

from cpa_core.insights import Kind
from cpa_core.report import words
from cpa_core.report.charts import PALETTE, REST_COLOUR
from cpa_core.report.document import MOST_EXAMPLES
from cpa_core.report.sections.asked import FLOW_STEPS, Asked

SHOWN = 7
"""Kinds of event with a block of their own; the others share one."""

GAP = 0.016
THICK = 0.045
POINTS = 14
REST = "all others"
ON = "goes on"
ENDS = {"good": "ends well", "middle": "ends between", "bad": "ends badly", "unknown": "ends unscored"}
END_COLOURS = {
    "ends well": "var(--good)",
    "ends between": "var(--middle)",
    "ends badly": "var(--bad)",
    "ends unscored": "var(--unknown)",
}

Node = tuple[int, str]
Link = dict[str, Any]


def ribbons(asked: Asked) -> tuple[list[Link], list[dict[str, Any]]]:
    """Links with their path, and nodes with their place: x in steps, y from 0 (top) to 1."""
    names = _names(asked)
    totals = _totals(asked, names)
    nodes = _nodes(totals, [*names.values(), REST, ON, *ENDS.values()])
    colours = dict(zip(dict.fromkeys(names.values()), PALETTE, strict=False)) | END_COLOURS
    used: dict[tuple[Node, str], float] = {}
    whole = max(1, sum(group["total"] for (a, _), group in totals.items() if a[0] == 0))
    links = []
    order = {node: n for n, node in enumerate(nodes)}
    for (first, then), group in sorted(totals.items(), key=lambda item: (order[item[0][0]], order[item[0][1]])):
        height = group["total"] / whole * _scale(nodes)
        starts = nodes[first]["top"] + used.get((first, "out"), 0.0)
        ends = nodes[then]["top"] + used.get((then, "in"), 0.0)
        used[first, "out"] = used.get((first, "out"), 0.0) + height
        used[then, "in"] = used.get((then, "in"), 0.0) + height
        links.append(_link(first, then, group, (starts, ends, height), colours))
    return links, [_block(node, place, colours) for node, place in nodes.items()]


def _names(asked: Asked) -> dict[Kind, str]:
    """Return the names of the kinds with a block of their own: those in most steps of the flow."""
    counts: dict[int, int] = {}
    for row in asked.flow:
        counts[row["kind"]] = counts.get(row["kind"], 0) + row["total"]
    shown = sorted(counts, key=lambda kind: (-counts[kind], kind))[:SHOWN]
    return {asked.kinds[number]: asked.kinds[number].event_type for number in shown}


def _totals(asked: Asked, names: Mapping[Kind, str]) -> dict[tuple[Node, Node], dict[str, Any]]:
    found: dict[tuple[Node, Node], dict[str, Any]] = {}
    for row in asked.flow:
        at = row["step"] - 1
        first = (at, names.get(asked.kinds[row["kind"]], REST))
        if row["ending"]:
            then = (at + 1, ENDS[row["ending"]])
        elif at + 1 == FLOW_STEPS:
            then = (at + 1, ON)
        else:
            then = (at + 1, names.get(asked.kinds[row["next_kind"]], REST))
        group = found.setdefault((first, then), {"total": 0, "places": []})
        group["total"] += row["total"]
        group["places"] = sorted([*group["places"], *row["places"]])[:MOST_EXAMPLES]
    return found


def _nodes(totals: Mapping[tuple[Node, Node], Mapping[str, Any]], order: Iterable[str]) -> dict[Node, dict[str, float]]:
    """Blocks, stacked in each column in one order, with their share of all conversations."""
    ranks = {name: n for n, name in enumerate(dict.fromkeys(order))}
    out: dict[Node, int] = {}
    into: dict[Node, int] = {}
    for (first, then), group in totals.items():
        out[first] = out.get(first, 0) + group["total"]
        into[then] = into.get(then, 0) + group["total"]
    sizes = {node: max(out.get(node, 0), into.get(node, 0)) for node in {*out, *into}}
    whole = max(1, sum(size for node, size in sizes.items() if node[0] == 0))
    found: dict[Node, dict[str, float]] = {}
    most = max((sum(1 for node in sizes if node[0] == step) for step in range(FLOW_STEPS + 1)), default=1)
    scale = 1 - GAP * most
    tops: dict[int, float] = {}
    for node in sorted(sizes, key=lambda node: (node[0], ranks[node[1]])):
        top = tops.get(node[0], 0.0)
        height = sizes[node] / whole * scale
        found[node] = {"top": top, "bottom": top + height, "total": sizes[node], "scale": scale}
        tops[node[0]] = top + height + GAP
    return found


def _scale(nodes: Mapping[Node, Mapping[str, float]]) -> float:
    return next(iter(nodes.values()))["scale"] if nodes else 1.0


def _link(
    first: Node, then: Node, group: Mapping[str, Any], place: tuple[float, float, float], colours: Mapping[str, str]
) -> Link:
    starts, ends, height = place
    left, right = first[0] + THICK, float(then[0])
    path = []
    for n in range(POINTS + 1):
        t = n / POINTS
        eased = t * t * (3 - 2 * t)
        y = starts + (ends - starts) * eased
        path.append((round(left + (right - left) * t, 4), round(y, 4), round(y + height, 4)))
    return {
        "path": path,
        "names": f"{first[1]} → {then[1]}",
        "where": f"{first[0] + 1} to {then[0] + 1}",
        "total": group["total"],
        "places": group["places"],
        "said": words.count(group["total"]),
        "colour": colours.get(then[1] if then[1] in END_COLOURS else first[1], REST_COLOUR),
        "drill": f"flow:{first[0]}:{first[1]}:{then[1]}",
    }


def _block(node: Node, place: Mapping[str, float], colours: Mapping[str, str]) -> dict[str, Any]:
    return {
        "x": node[0],
        "end": node[0] + THICK,
        "top": round(place["top"], 4),
        "bottom": round(place["bottom"], 4),
        "middle": round((place["top"] + place["bottom"]) / 2, 4),
        "name": node[1],
        "said": words.count(int(place["total"])),
        "colour": colours.get(node[1], REST_COLOUR),
        "is_named": place["bottom"] - place["top"] > 0.028,
    }
