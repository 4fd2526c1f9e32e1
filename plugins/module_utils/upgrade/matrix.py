# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The vendor's upgrade documents as data: which version may follow which, and what is passed on the way.

An edge says that a step is allowed and how. A crossing says what holds for every step that passes a version, however
far it goes: what to do before, what cannot be undone. ``inferred`` tells why a cell that no document has is here.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Span, Version, series, span

ROLLING = "rolling"
MASTER_LAST = "rolling, master last"
STOP_ALL = "stop all"


@dataclass(frozen=True)
class Edge:
    """A step from any version of ``starts`` to any later one of ``ends``; ``sources``: who says so."""

    starts: Span
    ends: Span
    mode: str
    sources: tuple[str, ...]
    inferred: str = ""


@dataclass(frozen=True)
class Crossing:
    """What a step passes that begins before ``reached`` and ends in it.

    ``one_way``: what cannot be undone then, ``going_back``: what it would cost. ``windows``: of machines with Windows.
    ``managers``: of clusters with managers.
    """

    reached: Span
    source: str
    before: str = ""
    one_way: str = ""
    going_back: str = ""
    note: str = ""
    windows: bool = False
    managers: bool = False


# Up to 5.0.6 the release notes are posts on eventstore.org, the later ones on eventstore.com/blog; the guides are the
# servers' own documents (docs/server/quick-start/upgrade-guide.md in their tags).
_3_9_4 = "release notes of 3.9.4 (2017-05-03)"
_4_0_0 = "release notes of 4.0.0 (2017-03-23)"
_4_1_0 = "release notes of 4.1.0 (2018-01-24)"
_4_1_3 = "release notes of 4.1.3 (2019-05-13)"
_4_1_4 = "release notes of 4.1.4 (2019-07-25)"
_5_0_0 = "release notes of 5.0.0 (2019-02-18)"
_5_0_1 = "release notes of 5.0.1 (2019-05-07)"
_5_0_2 = "release notes of 5.0.2 (2019-07-23)"
_5_0_6 = "release notes of 5.0.6 (2020-02-19)"
_20_6 = "release notes of 20.6.0 (2020-06-08)"
_GUIDE = "upgrade guide of {}"

_NO_DOCUMENT = "no document describes the upgrade to this patch release; releases before and after it roll"
_LATER_5_0 = (
    "the posts on 5.0.2 to 5.0.6 say that the usual rolling upgrade is enough; no document for later ones was found"
)
_FROM_4_1 = "the vendor names 4.1.1-hotfix1 to start from; 4.1.2 to 4.1.4 are later and contain fixes from 5.0"
_FROM_3_X = "the vendor's post names 3.9.x to start from; it does not mention 3.0 to 3.8"

_ANY = "9999.0.0"

EDGES: tuple[Edge, ...] = (
    Edge(span("3.9.0", "3.9.4"), span("3.9.4", "3.9.5"), ROLLING, (_3_9_4,)),
    Edge(span("3.0.0", "3.9.0"), span("3.9.4", "3.9.5"), ROLLING, (_3_9_4,), _FROM_3_X),
    Edge(span("3.9.4", "3.9.5"), span("4.0.0", "4.0.4"), ROLLING, (_3_9_4,)),
    Edge(span("3.0.0", "3.9.4"), span("4.0.0", "4.0.4"), STOP_ALL, (_4_0_0,)),
    Edge(series("4.0"), span("4.0.0", "4.0.4"), ROLLING, (_4_0_0,), _NO_DOCUMENT),
    Edge(
        series("4.0"),
        span("4.1.0", "4.1.3"),
        ROLLING,
        (_4_1_0,),
        "the post mentions the index and no procedure; the posts on 4.1.3 and 4.1.4 roll",
    ),
    Edge(series("4.1"), span("4.1.0", "4.1.3"), ROLLING, (_4_1_0,), _NO_DOCUMENT),
    Edge(span("4.0.0", "4.1.3"), span("4.1.3", "4.1.4"), MASTER_LAST, (_4_1_3,)),
    Edge(span("4.0.0", "4.1.4"), span("4.1.4", "4.1.5"), MASTER_LAST, (_4_1_4,)),
    Edge(span("4.1.1-hotfix1", "4.1.2"), span("5.0.0", "5.0.1"), MASTER_LAST, (_5_0_0,)),
    Edge(span("4.1.1-hotfix1", "4.1.2"), span("5.0.1", "5.0.7"), MASTER_LAST, (_5_0_0, _5_0_6)),
    Edge(span("4.1.1-hotfix1", "4.1.2"), span("5.0.7", "5.0.12"), MASTER_LAST, (_5_0_0, _5_0_6), _LATER_5_0),
    # 4.1.4 has fixes of 5.0.2, so an older 5.0 would be a step back.
    Edge(span("4.1.2", "4.1.5"), span("5.0.2", "5.0.12"), MASTER_LAST, (_5_0_0, _5_0_6), _FROM_4_1),
    Edge(series("5.0"), span("5.0.1", "5.0.7"), MASTER_LAST, (_5_0_6,)),
    Edge(series("5.0"), span("5.0.7", "5.0.12"), MASTER_LAST, (_5_0_6,), _LATER_5_0),
    Edge(series("5.0"), series("20.6"), STOP_ALL, (_20_6,)),
    Edge(series("5.0"), series("20.10"), STOP_ALL, (_20_6,)),
    Edge(series("20.10"), series("21.10"), ROLLING, (_GUIDE.format("22.10"),)),
    *(
        Edge(series(each), series("22.10"), MASTER_LAST, (_GUIDE.format("22.10"),))
        for each in ("20.10", "21.10", "22.6")
    ),
    Edge(series("22.10"), series("22.10"), ROLLING, (_GUIDE.format("22.10"),)),
    Edge(series("21.10"), series("23.10"), MASTER_LAST, (_GUIDE.format("23.10"),)),
    *(Edge(series(each), series("23.10"), ROLLING, (_GUIDE.format("23.10"),)) for each in ("22.10", "23.6")),
    Edge(
        series("21.10"),
        series("24.10"),
        MASTER_LAST,
        (_GUIDE.format("24.10"),),
        "the guide allows a roll; master last as for 22.10, because 22.10 and later cannot replicate to 21.10",
    ),
    *(
        Edge(series(each), series("24.10"), ROLLING, (_GUIDE.format("24.10"),))
        for each in ("22.10", "23.10", "24.2", "24.6")
    ),
    *(Edge(series(each), series("25.0"), ROLLING, (_GUIDE.format("25.0"),)) for each in ("22.10", "23.10", "24.10")),
    *(
        Edge(series(each), series("25.1"), ROLLING, (_GUIDE.format("25.1"),))
        for each in ("22.10", "23.10", "24.10", "25.0")
    ),
    *(
        Edge(series(each), series("26.0"), ROLLING, (_GUIDE.format("26.0"),))
        for each in ("22.10", "23.10", "24.10", "25.0", "25.1")
    ),
    *(
        Edge(series(each), series(each), ROLLING, (), "no document mentions patch releases within this series")
        for each in ("20.6", "20.10", "21.10", "23.10", "24.10", "25.0", "25.1", "26.0")
    ),
)

_STOP_PROJECTIONS = (
    "Stop all projections and check that each is Stopped, so that it writes a checkpoint; start them after the last "
    "node. Otherwise they can fault and must be reset"
)
BACK_UP_INDEX = "Back up the index of every node"
_INDEX_BACK = "stop the node, restore the backup of its index, or delete the index and wait until it is rebuilt"

CROSSINGS: tuple[Crossing, ...] = (
    Crossing(
        span("3.9.4", _ANY),
        _3_9_4,
        before=BACK_UP_INDEX,
        one_way="older versions cannot read the index of this version",
        going_back=_INDEX_BACK,
    ),
    Crossing(
        span("4.0.0", _ANY),
        _4_0_0,
        one_way="versions older than 3.9.4 treat its records as a corrupt database",
        going_back="to 3.9.4 only; the vendor documents no way back to older versions",
    ),
    Crossing(
        span("4.1.0", _ANY),
        _4_1_0,
        before=BACK_UP_INDEX,
        one_way="older versions treat the index of this version as corrupt",
        going_back=_INDEX_BACK,
    ),
    # Each only within its own major version: 5.0.0 is older than 4.1.3 and does not have its change.
    Crossing(span("4.1.3", "5.0.0"), _4_1_3, before=_STOP_PROJECTIONS),
    Crossing(span("5.0.1", "6.0.0"), _5_0_1, before=_STOP_PROJECTIONS),
    Crossing(span("5.0.0", _ANY), _5_0_0, before="Install .NET Framework 4.7.1 or later", windows=True),
    Crossing(
        span("5.0.0", _ANY),
        _5_0_0,
        one_way="it writes version 2 of the file indexmap, which 4.x cannot read",
        going_back="a full rebuild of the index; the notes mention a workaround without describing it",
        note="Logs become JSON; StructuredLog: false keeps the old format",
    ),
    Crossing(
        span("5.0.2", _ANY),
        _5_0_2,
        # Measured on 5.0.11: GET /elections is 404, with a user and without.
        note="Without a user, HTTP answers only /gossip, /info, /ping, /stats, /stats/replication, /stats/tcp and "
        "/web; DisableFirstLevelHttpAuthorization: true keeps it open",
    ),
    Crossing(
        span("20.6.0", _ANY),
        _20_6,
        before="Create a certificate for every node, or choose Insecure: TLS is on by default",
        one_way="gossip, elections and replication differ, so a node of 5.x cannot join",
        going_back="no document describes it; back up the database of every node while all are stopped",
    ),
    Crossing(
        span("20.6.0", _ANY),
        _20_6,
        note="There are no managers: every node is a separate service, and clients and seeds use its HTTP port",
        managers=True,
    ),
    Crossing(span("21.6.0", _ANY), _GUIDE.format("22.10"), note="The server does not start with an unknown option"),
    Crossing(
        span("22.10.0", _ANY), _GUIDE.format("22.10"), note="A master of 22.10 or later cannot replicate to older nodes"
    ),
    Crossing(
        span("23.10.0", _ANY),
        _GUIDE.format("23.10"),
        before="Remove PrepareCount and CommitCount from the configuration: the server does not start with them",
        note="Anonymous access is off by default",
    ),
    Crossing(
        span("24.10.0", _ANY),
        _GUIDE.format("24.10"),
        before="Uninstall the old package on each node before the new one is installed",
        note="Index files with 32-bit entries (PTable 1) are not supported; certificates need the right key usage",
    ),
    Crossing(
        span("25.0.0", _ANY),
        _GUIDE.format("25.0"),
        before="Move to the new names of service, user, executable and directories; the server does not start with old "
        "option names",
        note="Changed limits of the old service unit are lost",
    ),
    Crossing(
        span("25.1.0", _ANY),
        _GUIDE.format("25.1"),
        note="Secondary indexes are on by default, and with them, copied files of a running node are not a safe backup",
    ),
    Crossing(span("26.0.0", _ANY), _GUIDE.format("26.0"), note="YAML files now override JSON files"),
)

# Where a way of several steps may stop: the newest release of each series that is known here, and the one release of
# 4.1 that the vendor names to start from.
WAYPOINTS: tuple[Version, ...] = tuple(
    map(
        Version.parse,
        (
            *("3.9.4", "4.0.3", "4.1.1-hotfix1", "4.1.4", "5.0.11"),
            *("20.10.6", "21.10.11", "22.10.5", "23.10.6", "24.10.4", "25.0.0", "25.1.4"),
        ),
    )
)


def edge(start: Version, end: Version) -> Edge | None:
    """The edge that allows this step; one that a document has before one that is inferred."""
    found = [each for each in EDGES if start in each.starts and end in each.ends and start < end]
    return min(found, key=lambda each: bool(each.inferred), default=None)


def crossings(start: Version, end: Version) -> t.Iterator[Crossing]:
    """What a step between the two passes."""
    return (each for each in CROSSINGS if start < each.reached.first and end in each.reached)


def is_known(version: Version) -> bool:
    """Whether any document leads to this version."""
    return any(version in each.ends for each in EDGES)


__all__ = [
    "BACK_UP_INDEX",
    "CROSSINGS",
    "EDGES",
    "MASTER_LAST",
    "ROLLING",
    "STOP_ALL",
    "WAYPOINTS",
    "Crossing",
    "Edge",
    "crossings",
    "edge",
    "is_known",
]
