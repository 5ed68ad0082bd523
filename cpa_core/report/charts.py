"""The charts as Vega-Lite specifications. Colours are CSS variables: one drawing serves all themes."""

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Row = Mapping[str, Any]

PALETTE = tuple(f"var(--c{n})" for n in range(8))
REST_COLOUR = "var(--c8)"
VERDICT_COLOURS = {
    "met": "var(--good)",
    "partly": "var(--amber)",
    "missed": "var(--bad)",
    "cannot tell": "var(--unknown)",
}
LABELS = {"labelOverlap": "greedy", "labelAngle": 0}
HEAT_LIMIT = 0.85
"""The density of the fullest cell of a heat map: its text must stay readable."""


def stacked(rows: Sequence[Row], kinds: Sequence[str], rest: str, markers: Sequence[Row], unit: str) -> Spec:
    """Bars by `bucket`, stacked by `kind`; the kind named `rest` is grey. Markers have a `bucket` and a `label`."""
    domain = [*kinds, rest] if any(row["kind"] == rest for row in rows) else list(kinds)
    colours = [*PALETTE[: len(kinds)], REST_COLOUR][: len(domain)]
    bars = {
        "data": {"values": list(rows)},
        "mark": {"type": "bar", "cursor": "pointer"},
        "encoding": {
            "x": _buckets(),
            "y": {"field": "value", "type": "quantitative", "title": unit, "stack": "zero", "axis": {"tickCount": 5}},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": domain, "range": colours},
                "legend": {"title": None},
            },
            "order": {"field": "place", "type": "quantitative"},
            "tooltip": [_tip("bucket", "from"), _tip("kind", "event"), _tip("value", unit)],
        },
    }
    marks: list[Spec] = [bars]
    if markers:
        marks += [_marker({"type": "rule", "strokeDash": [4, 3], "size": 1.5}, markers), _label(markers)]
    return _spec(f"Bars of {unit} over time, by kind of event", {"layer": marks}, height=230)


def _buckets() -> Spec:
    return {"field": "bucket", "type": "ordinal", "title": None, "sort": None, "axis": LABELS}


def _marker(mark: Spec, markers: Sequence[Row]) -> Spec:
    tips = [_tip("bucket", "from"), _tip("label", "change")]
    return {"data": {"values": list(markers)}, "mark": mark, "encoding": {"x": _buckets(), "tooltip": tips}}


def _label(markers: Sequence[Row]) -> Spec:
    mark = {"type": "text", "align": "left", "dx": 4, "y": -7, "fontSize": 11, "color": "var(--muted)"}
    made = _marker(mark, markers)
    made["encoding"]["text"] = {"field": "label"}
    return made


def trend(rows: Sequence[Row], title: str, top: float) -> Spec:
    """A line through `value` by `bucket`, with its interval from `low` to `high`; from 0 to `top`."""
    scale = {"domain": [0, top]}
    tips = [_tip("bucket", "from"), _tip("said", title), _tip("of", "of")]
    band = {
        "mark": {"type": "rule", "color": "var(--c0)", "opacity": 0.35, "size": 2},
        "encoding": {
            "y": {"field": "low", "type": "quantitative", "title": title, "scale": scale},
            "y2": {"field": "high"},
        },
    }
    line = {
        "mark": {"type": "line", "point": {"size": 55, "filled": True}, "strokeWidth": 2},
        "encoding": {"y": {"field": "value", "type": "quantitative", "title": title, "scale": scale}, "tooltip": tips},
    }
    body = {"data": {"values": list(rows)}, "encoding": {"x": _buckets()}, "layer": [band, line]}
    return _spec(f"{title} over time, with intervals of 95 %", body, height=230)


def heat(rows: Sequence[Row], across: Sequence[str], down: Sequence[str], titles: tuple[str, str], said: str) -> Spec:
    """A cell for each `x` and `y`, as dense as its `weight` (0 to 1), with `text` in it."""
    cells = {
        "mark": {"type": "rect", "color": "var(--accent)", "cornerRadius": 3, "cursor": "pointer"},
        "encoding": {
            "opacity": {
                "field": "weight",
                "type": "quantitative",
                "scale": {"domain": [0, 1], "range": [0.04, HEAT_LIMIT]},
                "legend": None,
            },
            "tooltip": [_tip("y", titles[1]), _tip("x", titles[0]), _tip("said", said)],
        },
    }
    text = {
        "mark": {"type": "text", "fontSize": 11, "cursor": "pointer"},
        "encoding": {
            "text": {"field": "text"},
            "color": {
                "condition": {"test": "datum.weight > 0.55", "value": "var(--sheet)"},
                "value": "var(--ink)",
            },
        },
    }
    body = {"data": {"values": list(rows)}, "encoding": _heat_axes(across, down, titles), "layer": [cells, text]}
    return _spec(f"{said} by {titles[1]} and {titles[0]}", body, height=max(90, 30 * len(down)))


def _heat_axes(across: Sequence[str], down: Sequence[str], titles: tuple[str, str]) -> Spec:
    return {
        "x": {
            "field": "x",
            "type": "ordinal",
            "title": titles[0],
            "sort": list(across),
            "scale": {"domain": list(across)},
            "axis": {
                "orient": "top",
                "labelAngle": -38 if max(map(len, across), default=0) > 5 else 0,
                "domain": False,
                "ticks": False,
                "labelLimit": 150,
                "labelOverlap": False,
            },
        },
        "y": {
            "field": "y",
            "type": "ordinal",
            "title": titles[1],
            "sort": list(down),
            "scale": {"domain": list(down)},
            "axis": {"domain": False, "ticks": False},
        },
    }


def bars(rows: Sequence[Row], titles: tuple[str, str], *, share: bool = False, colour: str = "var(--c0)") -> Spec:
    """A bar for each `x`, of `value`, with its interval where it has `low` and `high`; `said` is shown on it."""
    axis: Spec = {"format": ".0%", "tickCount": 5} if share else {"tickCount": 5}
    upright: Spec = {"field": "value", "type": "quantitative", "title": titles[1], "axis": axis}
    fill: Spec = {"condition": {"test": "datum.few", "value": "var(--unknown)"}, "value": colour}
    if any("colour" in row for row in rows):
        fill = {"field": "colour", "type": "nominal", "scale": None, "legend": None}
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "cursor": "pointer"},
            "encoding": {
                "y": upright,
                "color": fill,
                "tooltip": [_tip("x", titles[0]), _tip("said", titles[1])],
            },
        }
    ]
    if any("low" in row for row in rows):
        span = {"y": {"field": "low", "type": "quantitative", "title": titles[1]}, "y2": {"field": "high"}}
        layers.append({"mark": {"type": "rule", "color": "var(--ink)", "opacity": 0.55}, "encoding": span})
    across = {"field": "x", "type": "ordinal", "title": titles[0], "sort": None, "axis": LABELS}
    body = {"data": {"values": list(rows)}, "encoding": {"x": across}, "layer": layers}
    return _spec(f"{titles[1]} by {titles[0]}", body, height=220)


def verdicts(rows: Sequence[Row], criteria: Sequence[str]) -> Spec:
    """A bar for each `criterion`, as long as all its judgments, divided by `verdict`."""
    body = {
        "data": {"values": list(rows)},
        "mark": {"type": "bar", "cursor": "pointer", "height": {"band": 0.72}},
        "encoding": {
            "y": {"field": "criterion", "type": "nominal", "sort": list(criteria), "title": None,
                  "axis": {"domain": False, "ticks": False}},
            "x": {"field": "count", "type": "quantitative", "stack": "normalize", "title": "of judged conversations",
                  "axis": {"format": ".0%", "tickCount": 5}},
            "color": {
                "field": "verdict",
                "type": "nominal",
                "scale": {"domain": list(VERDICT_COLOURS), "range": list(VERDICT_COLOURS.values())},
                "legend": {"title": None},
            },
            "order": {"field": "place", "type": "quantitative"},
            "tooltip": [_tip("words", "goal"), _tip("verdict", "verdict"), _tip("said", "judgments")],
        },
    }  # fmt: skip
    return _spec("Verdicts by goal", body, height=max(80, 34 * len(criteria)))


def flow(links: Sequence[Row], nodes: Sequence[Row], steps: Sequence[str]) -> Spec:
    """Ribbons between nodes. A link has a `path` (points of x, high, low), a node its `x`, `top` and `bottom`."""
    points = [
        {"x": x, "high": high, "low": low, "link": n, "said": link["said"], "names": link["names"],
         "colour": link["colour"], "drill": link["drill"]}
        for n, link in enumerate(links)
        for x, high, low in link["path"]
    ]  # fmt: skip
    across = {"type": "quantitative", "scale": {"domain": [-0.05, len(steps) - 0.35], "nice": False}, "axis": None}
    upright = {"type": "quantitative", "scale": {"domain": [1.06, 0], "nice": False}, "axis": None}
    ribbon = {
        "data": {"values": points},
        "mark": {"type": "area", "opacity": 0.3, "cursor": "pointer"},
        "encoding": {
            "x": {"field": "x", **across},
            "y": {"field": "high", **upright},
            "y2": {"field": "low"},
            "detail": {"field": "link"},
            "color": {"field": "colour", "type": "nominal", "scale": None},
            "tooltip": [_tip("names", "from, to"), _tip("said", "conversations")],
        },
    }
    block = {
        "data": {"values": list(nodes)},
        "mark": {"type": "rect", "cursor": "pointer", "cornerRadius": 1.5},
        "encoding": {
            "x": {"field": "x", **across},
            "x2": {"field": "end"},
            "y": {"field": "top", **upright},
            "y2": {"field": "bottom"},
            "color": {"field": "colour", "type": "nominal", "scale": None},
            "tooltip": [_tip("name", "event"), _tip("said", "conversations")],
        },
    }
    return _spec(
        "Which events follow which, step by step",
        {"layer": [ribbon, block, *_flow_words(nodes, steps, across, upright)]},
        height=420,
    )


def _flow_words(nodes: Sequence[Row], steps: Sequence[str], across: Spec, upright: Spec) -> list[Spec]:
    words = {
        "data": {"values": [node for node in nodes if node["is_named"]]},
        "mark": {"type": "text", "align": "left", "dx": 5, "baseline": "middle", "fontSize": 11, "limit": 130},
        "encoding": {
            "x": {"field": "end", **across},
            "y": {"field": "middle", **upright},
            "text": {"field": "name"},
        },
    }
    heads = {
        "data": {"values": [{"x": n, "y": 1.05, "text": step} for n, step in enumerate(steps)]},
        "mark": {"type": "text", "align": "left", "fontSize": 11, "color": "var(--muted)"},
        "encoding": {"x": {"field": "x", **across}, "y": {"field": "y", **upright}, "text": {"field": "text"}},
    }
    return [words, heads]


def _tip(field: str, title: str) -> Spec:
    return {"field": field, "title": title}


def _spec(description: str, body: Spec, height: int) -> Spec:
    sized = {"width": "container", "height": height, "autosize": {"type": "fit-x", "contains": "padding"}}
    return {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "description": description, **sized, **body}
