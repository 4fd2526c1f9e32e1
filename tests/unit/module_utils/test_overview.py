# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.overview import (
    BAD,
    DOUBTFUL,
    GOOD,
    PLAIN,
    WIDTH,
    rows,
    shortened,
    size,
    table,
)
from tests.doubles.gossip.answers import REFUSED, judge, manager, node


def planned(*hosts: str, mode: str = "managers", logs: str = "/var/log/eventstore") -> dict[str, object]:
    """As much of a plan as the table needs; ``{}`` in ``logs`` is the machine's name."""
    machines = {
        host: {
            "manager": {"options": {"Log": f"{logs}/manager".format(host)}},
            "nodes": [{"log": logs.format(host)}],
        }
        for host in hosts
    }
    return {"cluster_name": "orders", "mode": mode, "hosts": machines}


def cluster(count: int, *, silent: int = 0, behind: int = 0, managers: bool = True) -> dict[str, object]:
    """Facts of nodes and managers, of which the last ``silent`` nodes are dead; node 2 is ``behind`` bytes."""
    words = {"10.0.0.1": "Master at=2000000000", "10.0.0.2": f"Slave at={2000000000 - behind}"}
    words |= {f"10.0.0.{number}": "Slave at=2000000000" for number in range(3, count + 1)}
    words |= {f"10.0.0.{number}": "Slave dead" for number in range(count - silent + 1, count + 1)}
    words |= {f"10.0.0.{number}/m": "Manager" for number in range(1, count + 1)} if managers else {}
    nodes = [node(number, words if number <= count - silent else REFUSED) for number in range(1, count + 1)]
    others = [manager(number, words) for number in range(1, count + 1)] if managers else []
    return judge(*nodes, *others, size=count)


def test_a_cluster_in_order_is_one_line_for_each_machine():
    lines = table(cluster(3), planned("host1", "host2", "host3"))
    assert [line.text for line in lines] == [
        "orders has quorum, 3 of 3 nodes in sync, 2 needed, can lose 1",
        "machine  state   external       lag  version  manager",
        "host1    Master  10.0.0.1:2113  0 B  3.4.0.0  up :30778",
        "host2    Slave   10.0.0.2:2113  0 B  3.4.0.0  up :30778",
        "host3    Slave   10.0.0.3:2113  0 B  3.4.0.0  up :30778",
        "state of the cluster  curl http://10.0.0.1:30778/gossip?format=json",
        "logs                  /var/log/eventstore/manager /var/log/eventstore",
    ]
    assert [line.tone for line in lines] == [GOOD, *[PLAIN] * 6]


def test_what_is_wrong_stands_out_and_problems_are_plain_bullets():
    lines = table(cluster(3, silent=1, behind=50 * 1024 * 1024), planned("host1", "host2", "host3"))
    by_text = {" ".join(line.text.split()): line.tone for line in lines}
    assert by_text["orders has quorum, 2 of 3 nodes in sync, 2 needed, can lose 0"] == GOOD
    assert by_text["host2 Slave 10.0.0.2:2113 50.0 MiB 3.4.0.0 up :30778"] == PLAIN
    assert by_text["host3 no answer 10.0.0.3:2113 up :30778"] == BAD
    problems = [line for line in lines if line.text.startswith("- ")]
    assert [line.text.partition(":")[0] for line in problems] == ["- no-answer", "- lagging"]
    assert {line.tone for line in problems} == {BAD}


def test_advice_is_only_doubtful():
    words = {"10.0.0.1": "Master", "10.0.0.2": "Slave", "10.0.0.3": "Slave"}
    facts = judge(node(1, words), node(2, words, skew_s=75.0), node(3, words))
    assert [line.tone for line in table(facts, planned("host1")) if "clock-skew" in line.text] == [DOUBTFUL]


def test_without_quorum_the_first_line_says_so():
    first, *_rest = table(cluster(3, silent=2), planned("host1", "host2", "host3"))
    assert (first.text, first.tone) == ("orders NO QUORUM, 1 of 3 nodes in sync, 2 needed", BAD)


def test_nine_cloud_names_fit_and_stay_different():
    text = json.dumps(cluster(9, silent=3, behind=123456789))
    for number in range(1, 10):
        text = text.replace(f'"host{number}"', f'"prod-eventstore-ip-10-0-0-{number}.eu-central-1.compute.internal"')
    lines = table(json.loads(text), planned("x"))
    shown = [line.text for line in lines[1:11]]
    assert max(map(len, shown)) <= WIDTH
    assert len({line.split()[0] for line in shown[1:]}) == 9
    assert all("..." in line for line in shown[1:])
    assert shown[1].startswith("prod-eventstore-ip-10")


def test_without_managers_there_is_no_column_for_them():
    lines = [line.text for line in table(cluster(3, managers=False), planned("host1", mode="nodes"))]
    assert lines[1] == "machine  state   external       lag  version"
    assert "state of the cluster  curl http://10.0.0.1:2113/gossip?format=json" in lines


def test_several_nodes_of_a_machine_have_a_line_each_and_the_manager_one():
    facts = cluster(3)
    for each, name in zip(facts["members"], ("host1/first", "host1/second", "host3/first")):
        each |= {"name": name, "host": name.partition("/")[0]}
    facts["managers"] = [each for each in facts["managers"] if each["host"] != "host2"]
    assert [(row.machine, bool(row.manager)) for row in rows(facts)] == [
        ("host1/first", True),
        ("host1/second", False),
        ("host3", True),
    ]


def test_a_manager_at_another_address_than_its_node_is_shown_whole():
    facts = cluster(3)
    facts["managers"][0]["address"] = "10.9.0.1:30778"
    assert "up 10.9.0.1:30778" in table(facts, planned("host1"))[2].text


@pytest.mark.parametrize(("is_alive", "expected"), [(True, "seen alive"), (False, "seen dead")])
def test_a_server_that_was_not_asked_has_not_failed_to_answer(is_alive, expected):
    words = {"10.0.0.1": "Master", "10.0.0.2": "Slave", "10.0.0.9": "Clone" if is_alive else "Clone dead"}
    lines = table(judge(node(1, words), node(2, words), size=2), planned("host1"))
    line = next(line for line in lines if line.text.startswith("10.0.0.9"))
    assert expected in line.text
    assert line.tone == (DOUBTFUL if is_alive else BAD)


def test_a_cluster_that_does_not_answer_points_to_the_logs():
    facts = judge(*(node(number, REFUSED) for number in (1, 2, 3)))
    assert "state of the cluster  no server answers; see the logs" in [
        line.text for line in table(facts, planned("host1"))
    ]


def test_logs_in_the_same_place_are_named_once_also_where_the_machine_is_in_the_path():
    facts = cluster(3)
    assert table(facts, planned("host1", "host2", logs="/lab/{}/log"))[-1].text == (
        "logs                  /lab/<machine>/log/manager /lab/<machine>/log"
    )
    plan = planned("host1", "host2", "host3")
    plan["hosts"]["host2"] = {"manager": None, "nodes": [{"log": None}]}
    assert [line.text.split("  ")[0] for line in table(facts, plan)[-2:]] == ["logs on host1, host3", "logs on host2"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (16 * 1024**2, "16.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (5000 * 1024**4, "5000.0 TiB"),
    ],
)
def test_sizes_have_binary_units(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("names", "width", "expected"),
    [
        (["node1", "node2"], 20, ["node1", "node2"]),
        (["a-long-name-01.example.net"], 13, ["a-lon...e.net"]),
        (["prod-01.example.net", "prod-02.example.net"], 12, ["prod-01...et", "prod-02...et"]),
        (["aaaaaaaaaa1aaaaaaaaaa", "aaaaaaaaaa2aaaaaaaaaa"], 9, ["aaaaaaaaaa1aaaaaaaaaa", "aaaaaaaaaa2aaaaaaaaaa"]),
    ],
)
def test_names_are_cut_in_the_middle_but_stay_different(names, width, expected):
    assert shortened(names, width) == expected


@pytest.mark.parametrize(
    ("mode", "managers", "members", "address"),
    [
        ("managers", (False, True, True), (True, True, True), "10.0.0.2:30778"),
        ("managers", (False, False, False), (False, True, True), "10.0.0.2:2113"),
        ("nodes", (True, True, True), (False, True, True), "10.0.0.2:2113"),
    ],
)
def test_the_state_is_to_be_asked_of_a_server_that_answers(mode, managers, members, address):
    facts = cluster(3)
    for kind, answers in (("managers", managers), ("members", members)):
        for server, answer in zip(facts[kind], answers):
            server["answers"] = answer
    lines = [line.text for line in table(facts, planned("host1", mode=mode))]
    assert f"state of the cluster  curl http://{address}/gossip?format=json" in lines
