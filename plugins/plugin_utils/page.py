# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A cluster as one page of HTML: status first, readable on a phone, without a script and without other files.

``view`` decides everything that the page says and gives plain data; the template only places it and escapes it.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jinja2

from ansible_collections.eventstore.cluster.plugins.module_utils import overview
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.report import (
    ADVICE,
    ALLOWED_CLOCK_SKEW_S,
    ALLOWED_LAG_BYTES,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts, MemberFacts, Watched
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.watch import lines
from ansible_collections.eventstore.cluster.plugins.module_utils.overview import BAD, DOUBTFUL, GOOD, PLAIN
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import alarms

View = dict[str, t.Any]
Names = t.Mapping[str, str]  # a node's name -> its name in the page: the machine's where that is enough

HEADS = ("Machine", "State", "External", "Internal", "Version", "Clock", "Manager")
BAR = 1000  # width of a bar's viewBox
_AFTER, QUIET = "After the last turn", "no election, and no other node ended or was started"
# The parts of a turn, as Watch marks them: name of the part, tone, and the mark with which it ends.
_PARTS = (
    ("checks", PLAIN, "stopped_s"),
    ("stopped", BAD, "answered_s"),
    ("catching up", DOUBTFUL, "in_sync_s"),
    ("in sync", GOOD, "seconds"),
)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def render(gossip: ClusterFacts, plan: Plan, *, asked: datetime, **more: t.Any) -> str:
    """The page; arguments as those of ``view``."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = Path(__file__).with_name("page_html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(view(gossip, plan, asked=asked, **more))


def view(
    gossip: ClusterFacts,
    plan: Plan,
    *,
    asked: datetime,
    turns: t.Sequence[tuple[str, Watched]] = (),
    outcome: t.Sequence[str] = (),
    notes: t.Sequence[str] = (),
) -> View:
    """What the page says. ``turns``: machine and ``watched`` of each restart, in their order, and of the time after."""
    healthy = GOOD if gossip["healthy"] else DOUBTFUL
    rows = overview.rows(gossip)
    names = {row.node["name"]: row.machine for row in rows if row.node}
    return {
        "name": plan["cluster_name"],
        "verdict": "Has quorum" if gossip["has_quorum"] else "No quorum",
        "tone": healthy if gossip["has_quorum"] else BAD,
        "counts": overview.counts(gossip),
        "facts": list(_facts(gossip, names)),
        "outcome": list(outcome),
        "problems": _problems(gossip),
        "keys": [{"name": name, "tone": tone} for name, tone, _mark in _PARTS],
        "turns": _turns(turns),
        "groups": _groups(gossip, names),
        "heads": HEADS,
        "rows": [_row(row, gossip) for row in rows],
        "notes": list(notes),
        "ends": overview.next_lines(gossip, plan),
        "asked": asked.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def _facts(gossip: ClusterFacts, names: Names) -> t.Iterator[View]:
    """The strip under the verdict: who is master, what is wrong, versions, clocks."""
    master, problems = gossip["master"], gossip["problems"]
    yield _fact("Master", names[master["name"]] if master else "none", GOOD if master else BAD)
    worst = BAD if any(problem["code"] not in ADVICE for problem in problems) else DOUBTFUL
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    yield {**_fact("To do", count if problems else "nothing", worst if problems else GOOD), "link": bool(problems)}
    versions = sorted({node["es_version"] for node in gossip["members"] if node["es_version"]})
    yield _fact("Version", ", ".join(versions) or "unknown", DOUBTFUL if len(versions) != 1 else PLAIN)
    skew = gossip["clock_skew_s"]
    yield _fact("Clocks", f"{skew:.1f} s apart", DOUBTFUL if skew > ALLOWED_CLOCK_SKEW_S else PLAIN)


def _fact(name: str, value: str, tone: str) -> View:
    return {"name": name, "value": value, "tone": tone, "link": False}


def _problems(gossip: ClusterFacts) -> list[View]:
    """Each problem once, with all places that have it."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for each in gossip["problems"]:
        where = places.setdefault((each["code"], each["text"].rstrip("."), each["hint"].rstrip(".")), [])
        where += [each["where"]] if each.get("where") else []
    return [
        {
            "code": code,
            "where": ", ".join(dict.fromkeys(where)),
            "text": text,
            "hint": hint,
            "tone": DOUBTFUL if code in ADVICE else BAD,
        }
        for (code, text, hint), where in places.items()
    ]


def _groups(gossip: ClusterFacts, names: Names) -> list[View]:
    """Each master with the nodes that name it as theirs; then the nodes that name none."""
    nodes = {node["name"]: node for node in gossip["members"]}
    named = {view["name"]: view["masters"] for view in gossip["views"] if view["name"] in nodes}
    largest = max([ALLOWED_LAG_BYTES, *(overview.lag(node) or 0 for node in nodes.values())])
    masters = [name for name in nodes if named.get(name) == [name]]
    groups: list[View] = []
    alone = [name for name in nodes if named.get(name, [])[:1] not in ([each] for each in masters)]
    for master in masters:
        node = nodes[master]
        followed = [name for name in nodes if name != master and named.get(name) == [master]]
        groups.append({"name": names[master], "state": overview.state(node), "tone": overview.tone(node)})
        groups[-1]["followers"] = [_follower(names[name], nodes[name], largest) for name in followed]
    if alone:
        followers = [_follower(names[name], nodes[name], largest) for name in alone]
        groups.append({"name": "No master", "state": "", "tone": BAD, "followers": followers})
    return groups


def _follower(name: str, node: MemberFacts, largest: int) -> View:
    lag = overview.lag(node)
    return {
        "name": name,
        "state": overview.state(node),
        "tone": overview.tone(node),
        "lag": "" if lag is None else f"{overview.size(lag)} behind" if lag else "in step",
        "lag_tone": DOUBTFUL if (lag or 0) > ALLOWED_LAG_BYTES else GOOD,
        "bar": round(BAR * (lag or 0) / largest),
    }


def _row(row: overview.Row, gossip: ClusterFacts) -> View:
    node, manager = row.node, row.manager
    offsets = {view["name"]: view["clock_offset_s"] for view in gossip["views"]}
    clock = offsets.get(node["name"]) if node else None
    texts = [
        (overview.state(node), overview.tone(node)) if node else ("", PLAIN),
        (node["address"] if node else "", PLAIN),
        (node["internal"] if node else "", PLAIN),
        (node["es_version"] if node else "", PLAIN),
        ("" if clock is None else f"{round(clock, 1) or 0:+.1f} s", PLAIN),
        (f"{overview.state(manager)} {manager['address']}", overview.tone(manager)) if manager else ("", PLAIN),
    ]
    cells = [{"name": name, "text": text, "tone": tone} for name, (text, tone) in zip(HEADS[1:], texts)]
    return {"machine": row.machine, "cells": cells}


def _turns(turns: t.Sequence[tuple[str, Watched]]) -> list[View]:
    """The turns on one axis of time, which all bars share."""
    spans = [(who or _AFTER, watched, _began(watched)) for who, watched in turns]
    if not spans:
        return []
    start = min(began for _who, _watched, began in spans)
    end = max(began + timedelta(seconds=watched["seconds"]) for _who, watched, began in spans)
    whole = max(1.0, (end - start).total_seconds())
    return [_turn(who, watched, began, (began - start).total_seconds(), whole) for who, watched, began in spans]


def _turn(who: str, watched: Watched, began: datetime, offset_s: float, whole_s: float) -> View:
    alarming = set(alarms(watched))
    said = [{"text": line, "tone": BAD if line in alarming else PLAIN} for line in lines(watched)]
    parts = _parts(watched)
    return {
        "who": who,
        "began": began.strftime("%H:%M:%S"),
        "seconds": f"{watched['seconds']:.1f}",
        "label": ", ".join(f"{name} {until - since:.1f} s" for name, _tone, since, until in parts),
        "bars": [
            {
                "tone": tone,
                "x": round(BAR * (offset_s + since) / whole_s),
                "width": max(2, round(BAR * (until - since) / whole_s)),
            }
            for _name, tone, since, until in parts
        ],
        "lines": said or [{"text": QUIET, "tone": "muted"}],
    }


def _parts(watched: Watched) -> list[tuple[str, str, float, float]]:
    """(name, tone, since, until) of the parts of a turn; of a span in which no restart was seen only the last."""
    parts, since = [], 0.0
    for name, tone, mark in _PARTS:
        until = t.cast("float | None", watched.get(mark))
        if until is not None:
            parts.append((name, tone, since, until))
            since = until
    return parts


def _began(watched: Watched) -> datetime:
    return datetime.strptime(watched["began"], _TIME).replace(tzinfo=timezone.utc)


__all__ = ["render", "view"]
