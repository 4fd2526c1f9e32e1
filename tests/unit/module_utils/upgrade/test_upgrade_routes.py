# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from version to version against the vendor's documents, written out here once more as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import UpgradeError
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.matrix import (
    CROSSINGS,
    EDGES,
    MASTER_LAST,
    ROLLING,
    STOP_ALL,
    WAYPOINTS,
    edge,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.routes import plan_route
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Version

STATED = False
INFERRED = True

CELLS = [
    ("3.9.0", "3.9.4", ROLLING, STATED),
    ("3.9.3", "3.9.4", ROLLING, STATED),
    ("3.0.0", "3.9.4", ROLLING, INFERRED),
    ("3.8.1", "3.9.4", ROLLING, INFERRED),
    ("3.9.4", "4.0.0", ROLLING, STATED),
    ("3.9.4", "4.0.3", ROLLING, STATED),
    ("3.0.0", "4.0.0", STOP_ALL, STATED),
    ("3.4.0", "4.0.3", STOP_ALL, STATED),
    ("3.9.3", "4.0.3-hotfix1", STOP_ALL, STATED),
    ("4.0.0", "4.0.3", ROLLING, INFERRED),
    ("4.0.3", "4.1.0", ROLLING, INFERRED),
    ("4.0.3", "4.1.2", ROLLING, INFERRED),
    ("4.0.3", "4.1.3", MASTER_LAST, STATED),
    ("4.1.0", "4.1.1-hotfix1", ROLLING, INFERRED),
    ("4.1.1", "4.1.3", MASTER_LAST, STATED),
    ("4.1.3", "4.1.4", MASTER_LAST, STATED),
    ("4.1.1-hotfix1", "5.0.0", MASTER_LAST, STATED),
    ("4.1.1-hotfix1", "5.0.1", MASTER_LAST, STATED),
    ("4.1.1-hotfix1", "5.0.6", MASTER_LAST, STATED),
    ("4.1.1-hotfix1", "5.0.7", MASTER_LAST, INFERRED),
    ("4.1.4", "5.0.2", MASTER_LAST, INFERRED),
    ("4.1.2", "5.0.11", MASTER_LAST, INFERRED),
    ("5.0.0", "5.0.1", MASTER_LAST, STATED),
    ("5.0.5", "5.0.6", MASTER_LAST, STATED),
    ("5.0.6", "5.0.11", MASTER_LAST, INFERRED),
    ("5.0.0", "20.6.0", STOP_ALL, STATED),
    ("5.0.11", "20.10.6", STOP_ALL, STATED),
    ("20.10.6", "21.10.11", ROLLING, STATED),
    ("20.10.6", "22.10.5", MASTER_LAST, STATED),
    ("21.10.11", "22.10.5", MASTER_LAST, STATED),
    ("22.6.0", "22.10.5", MASTER_LAST, STATED),
    ("22.10.1", "22.10.5", ROLLING, STATED),
    ("21.10.11", "23.10.6", MASTER_LAST, STATED),
    ("22.10.5", "23.10.6", ROLLING, STATED),
    ("23.6.0", "23.10.6", ROLLING, STATED),
    ("21.10.11", "24.10.4", MASTER_LAST, INFERRED),
    *((start, "24.10.4", ROLLING, STATED) for start in ("22.10.5", "23.10.6", "24.2.0", "24.6.0")),
    *((start, "25.0.0", ROLLING, STATED) for start in ("22.10.5", "23.10.6", "24.10.4")),
    *((start, "25.1.4", ROLLING, STATED) for start in ("22.10.5", "23.10.6", "24.10.4", "25.0.0")),
    *((start, "26.0.2", ROLLING, STATED) for start in ("22.10.5", "23.10.6", "24.10.4", "25.0.0", "25.1.4")),
    ("20.6.0", "20.6.1", ROLLING, INFERRED),
    ("20.10.0", "20.10.6", ROLLING, INFERRED),
    ("26.0.0", "26.0.1", ROLLING, INFERRED),
]

NO_CELL = [
    ("3.4.0", "3.9.3"),
    ("3.4.0", "4.1.0"),
    ("3.9.4", "4.1.0"),
    ("4.0.3", "4.0.3"),
    ("4.0.3", "4.0.0"),
    ("4.0.3", "5.0.0"),
    ("4.1.0", "5.0.0"),
    ("4.1.1", "5.0.11"),
    ("4.1.3", "5.0.1"),
    ("4.1.4", "5.0.0"),
    ("4.1.4", "20.10.6"),
    ("5.0.11", "5.0.12"),
    ("5.0.11", "21.10.11"),
    ("20.6.1", "20.10.6"),
    ("20.10.6", "23.10.6"),
    ("20.10.6", "25.0.0"),
    ("22.6.0", "23.10.6"),
    ("25.1.4", "26.1.0"),
]


@pytest.mark.parametrize(("start", "end", "mode", "inferred"), CELLS)
def test_cell(start, end, mode, inferred):
    found = edge(Version.parse(start), Version.parse(end))
    assert (found.mode, bool(found.inferred)) == (mode, inferred)


@pytest.mark.parametrize(("start", "end"), NO_CELL)
def test_no_cell(start, end):
    assert edge(Version.parse(start), Version.parse(end)) is None


def test_the_table_above_has_every_edge():
    used = {id(edge(Version.parse(start), Version.parse(end))) for start, end, *_rest in CELLS}
    patches = [each for each in EDGES if each.starts == each.ends and not each.sources]
    assert [each for each in EDGES if id(each) not in used and each not in patches] == []


@pytest.mark.parametrize("each", EDGES)
def test_an_edge_has_a_source_or_says_that_it_is_inferred(each):
    assert each.sources or each.inferred


@pytest.mark.parametrize("each", CROSSINGS)
def test_what_cannot_be_undone_says_what_going_back_costs(each):
    assert bool(each.one_way) == bool(each.going_back)
    assert each.source
    assert each.before or each.one_way or each.note


def hops(running, target):
    running = {"node1": running} if isinstance(running, str) else running
    return [(str(hop.start), str(hop.end), hop.edge.mode) for hop in plan_route(running, target).hops]


PATHS = [
    ("3.4.0.0", "3.9.4", [("3.4.0", "3.9.4", ROLLING)]),
    ("3.4.0", "4.0.3", [("3.4.0", "3.9.4", ROLLING), ("3.9.4", "4.0.3", ROLLING)]),
    (
        "3.4.0",
        "5.0.11",
        [
            ("3.4.0", "3.9.4", ROLLING),
            ("3.9.4", "4.0.3", ROLLING),
            ("4.0.3", "4.1.4", MASTER_LAST),
            ("4.1.4", "5.0.11", MASTER_LAST),
        ],
    ),
    ("4.1.0", "5.0.0", [("4.1.0", "4.1.1-hotfix1", ROLLING), ("4.1.1-hotfix1", "5.0.0", MASTER_LAST)]),
    ("4.1.1.0", "5.0.11", [("4.1.1", "4.1.4", MASTER_LAST), ("4.1.4", "5.0.11", MASTER_LAST)]),
    ("5.0.9", "20.10.6", [("5.0.9", "20.10.6", STOP_ALL)]),
    (
        "4.1.4",
        "21.10.11",
        [
            ("4.1.4", "5.0.11", MASTER_LAST),
            ("5.0.11", "20.10.6", STOP_ALL),
            ("20.10.6", "21.10.11", ROLLING),
        ],
    ),
    ("20.10.6", "26.0.0", [("20.10.6", "22.10.5", MASTER_LAST), ("22.10.5", "26.0.0", ROLLING)]),
    # Of ways that are equal otherwise the one over the newest release, as long as a document has it.
    ("21.10.11", "26.0.0", [("21.10.11", "23.10.6", MASTER_LAST), ("23.10.6", "26.0.0", ROLLING)]),
    ("5.0.11", "5.0.11", []),
    # An interrupted roll is finished first.
    (
        {"node1": "3.4.0", "node2": "3.9.4"},
        "4.0.0",
        [("3.4.0", "3.9.4", ROLLING), ("3.9.4", "4.0.0", ROLLING)],
    ),
    ({"node1": "5.0.11", "node2": "5.0.9"}, "5.0.11", [("5.0.9", "5.0.11", MASTER_LAST)]),
]


@pytest.mark.parametrize(("running", "target", "expected"), PATHS)
def test_path(running, target, expected):
    assert hops(running, target) == expected


def test_rolling_comes_first_and_the_full_stop_is_named_beside_it():
    plan = plan_route({"node1": "3.4.0"}, "4.0.3")
    assert [hop.edge.mode for hop in plan.hops] == [ROLLING, ROLLING]
    assert [(str(hop.end), hop.edge.mode) for hop in plan.alternative] == [("4.0.3", STOP_ALL)]
    assert plan_route({"node1": "3.9.4"}, "4.0.3").alternative == ()


def test_an_interrupted_roll_changes_only_the_nodes_that_are_left():
    plan = plan_route({"node1": "3.9.4", "node2": "3.4.0", "node3": "3.4.0"}, "4.0.3")
    assert plan.interrupted
    assert [hop.nodes for hop in plan.hops] == [("node2", "node3"), ("node1", "node2", "node3")]


REFUSED = [
    ("3.4.0", "nonsense", r"upgrade_to: expected a release such as 5\.0\.11"),
    ("3.4.0", "", r"upgrade_to: .* but came ''"),
    ("3.4.0", "5.0", "Give all three numbers"),
    ("3.4.0", "5.0.0-rc1", "release candidates"),
    ("3.4.0", "v5.0.11", "expected a release"),
    ("3.4.0", "5.0.11\n", "expected a release"),
    ("unknown", "5.0.11", "node1: expected a release"),
    ("3.4.0", "3.3.0", r"3\.3\.0 would be a downgrade.*node1 3\.4\.0"),
    ("5.0.11", "4.0.3", r"downgrade.*4\.1\.0.*restore the backup of its index.*5\.0\.0.*full rebuild of the index"),
    ("4.1.1-hotfix1", "4.1.1", "downgrade"),
    ("3.4.0", "3.9.3", r"leads to 3\.9\.3; of 3\.9 it knows 3\.9\.4"),
    ("3.4.0", "5.0.12", r"leads to 5\.0\.12; of 5\.0 it knows 5\.0\.11"),
    ("3.4.0", "6.0.0", r"leads to 6\.0\.0"),
    ("25.1.4", "26.1.0", r"leads to 26\.1\.0"),
    ("2.0.1", "5.0.11", r"from 2\.0\.1 to 5\.0\.11; none leads from it"),
    ("4.1.4", "5.0.1", r"from 4\.1\.4 to 5\.0\.1; the documents lead from it to 5\.0\.11"),
    ("20.6.1", "20.10.6", r"from 20\.6\.1 to 20\.10\.6; none leads from it"),
    ({"node1": "3.4.0", "node2": "4.0.3"}, "5.0.11", "cannot be one cluster.*Stop those with 3.4.0"),
    ({"node1": "3.4.0", "node2": "3.5.0"}, "5.0.11", "No document allows that"),
    ({"node1": "3.4.0", "node2": "3.9.4", "node3": "4.0.3"}, "5.0.11", "3 versions run side by side"),
    ({"node1": "3.4.0", "node2": "3.9.4"}, "3.4.0", r"downgrade.*node2 3\.9\.4"),
    ({}, "5.0.11", "no node"),
]


def test_a_full_stop_that_was_interrupted_is_finished_while_the_nodes_that_are_left_are_down():
    nodes = {"node1": "4.0.3", "node2": "3.4.0", "node3": "3.4.0"}
    way = plan_route(nodes, "4.0.3", down=["node2", "node3"])
    (hop,) = way.hops
    assert (hop.stops_all, hop.nodes, way.interrupted) == (True, ("node2", "node3"), True)
    for running in (["node2"], ["node1", "node3"], []):
        with pytest.raises(UpgradeError, match="cannot be one cluster"):
            plan_route(nodes, "4.0.3", down=running)


@pytest.mark.parametrize(("running", "target", "message"), REFUSED)
def test_refused(running, target, message):
    with pytest.raises(UpgradeError, match=message):
        hops(running, target)


@pytest.mark.parametrize(
    ("running", "target", "stop_projections"),
    [
        ("4.1.2", "4.1.3", True),
        ("4.0.3", "4.1.4", True),
        ("4.1.3", "4.1.4", False),
        ("4.0.3", "4.1.2", False),
        ("4.1.1-hotfix1", "5.0.0", False),
        ("4.1.1-hotfix1", "5.0.1", True),
        ("4.1.4", "5.0.11", True),
        ("5.0.0", "5.0.1", True),
        ("5.0.1", "5.0.2", False),
    ],
)
def test_projections_are_stopped_before_4_1_3_and_5_0_1_are_passed(running, target, stop_projections):
    (hop,) = plan_route({"node1": running}, target).hops
    assert any(each.before.startswith("Stop all projections") for each in hop.crossings) == stop_projections


@pytest.mark.parametrize(
    ("running", "target", "doors"),
    [
        ("3.4.0", "3.9.4", ["3.9.4"]),
        ("3.9.4", "4.0.3", ["4.0.0"]),
        ("4.0.3", "4.1.4", ["4.1.0"]),
        ("4.1.4", "5.0.11", ["5.0.0"]),
        ("5.0.10", "5.0.11", []),
        ("5.0.11", "20.10.6", ["20.6.0"]),
        ("20.10.6", "22.10.5", []),
    ],
)
def test_what_cannot_be_undone(running, target, doors):
    (hop,) = plan_route({"node1": running}, target).hops
    assert [str(each.reached.first) for each in hop.crossings if each.one_way] == doors


def test_a_full_stop_to_4_0_passes_both_doors():
    (hop,) = plan_route({"node1": "3.4.0"}, "4.0.3").alternative
    assert [str(each.reached.first) for each in hop.crossings if each.one_way] == ["3.9.4", "4.0.0"]


def test_a_downgrade_over_one_door_tells_that_one():
    with pytest.raises(UpgradeError) as refused:
        plan_route({"node1": "5.0.11", "node2": "4.1.4"}, "4.1.4")
    assert refused.value.problem == (
        "4.1.4 would be a downgrade, which is never planned: node1 5.0.11. What is known of going back: from 5.0.0 on"
        " it writes version 2 of the file indexmap, which 4.x cannot read; going back: a full rebuild of the index; the"
        " notes speak of a workaround without telling it"
    )


versions = st.sampled_from(
    sorted(
        {
            *WAYPOINTS,
            *(Version.parse(text) for cell in CELLS for text in cell[:2]),
            *(Version.parse(text) for cell in NO_CELL for text in cell),
        }
    )
)


@given(st.dictionaries(st.sampled_from(["node1", "node2", "node3"]), versions, min_size=1), versions)
def test_every_way_is_made_of_edges_goes_up_and_ends_at_the_target(running, target):
    try:
        plan = plan_route({name: str(version) for name, version in running.items()}, str(target))
    except UpgradeError:
        return
    begun, rest = plan.hops[: plan.interrupted], plan.hops[plan.interrupted :]
    for way in (rest, plan.alternative or rest):
        now = dict(running)
        for hop in (*begun, *way):
            assert hop.nodes
            for name in hop.nodes:
                assert now[name] == hop.start < hop.end
                now[name] = hop.end
            assert any(
                hop.start in each.starts and hop.end in each.ends and each.mode == hop.edge.mode for each in EDGES
            )
            assert len(set(now.values())) == 1
        assert set(now.values()) == {target}
    assert sum(hop.stops_all for hop in rest) <= sum(hop.stops_all for hop in plan.alternative or rest)


@given(versions)
def test_a_version_is_read_back_as_it_is_written(version):
    assert Version.parse(str(version)) == version
    assert version.hotfix or Version.parse(f"{version}.0") == version


def test_a_hotfix_comes_after_its_release_and_before_the_next():
    texts = ["4.1.1", "4.1.1-hotfix1", "4.1.1-hotfix2", "4.1.2", "4.1.10"]
    assert sorted(map(Version.parse, reversed(texts))) == list(map(Version.parse, texts))


def test_what_5_0_leaves_open_without_a_user():
    """As measured on 5.0.11, where GET /elections is 404."""
    (note,) = (each.note for each in CROSSINGS if each.note.startswith("Without a user"))
    assert all(
        open_path in note
        for open_path in ("/gossip", "/info", "/ping", "/stats", "/stats/replication", "/stats/tcp", "/web")
    )
    assert "/elections" not in note
