# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator and a playbook get: all that has to be known before a hop, and nothing that is guessed."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.filter.es_upgrade_plan import FilterModule
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

es_upgrade_plan = FilterModule().filters()["es_upgrade_plan"]
HOSTS = ("node1", "node2", "node3")


def planned(**variables):
    made = plan({host: {"eventstore_int_ip": f"192.168.1.1{n}", **variables} for n, host in enumerate(HOSTS, 1)})
    assert made["problems"] == []
    return made


def gossip(*versions, **changes):
    members = [
        {
            "name": f"{host}/database",
            "host": host,
            "address": f"192.168.1.1{number}:2113",
            "state": "Slave" if number > 1 else "Master",
            "is_alive": True,
            "es_version": version,
        }
        for number, (host, version) in enumerate(zip(HOSTS, versions), start=1)
    ]
    facts = {"members": members, "problems": [], "healthy": True, "quorum_size": 2, "cluster_size": 3}
    return {**facts, **changes}


def text(facts, target, made=None):
    result = es_upgrade_plan(facts, made or planned(), target)
    assert result["problems"] == []
    return " ".join(" ".join(result["lines"]).split())


def test_a_hop_as_data():
    (hop,) = es_upgrade_plan(gossip(*["3.9.3.0"] * 3), planned(), "3.9.4")["hops"]
    assert hop == {
        "from": "3.9.3",
        "to": "3.9.4",
        "mode": "rolling",
        "nodes": ["node1/database", "node2/database", "node3/database"],
        "before": ["Back up the index of every node"],
        "one_way": [
            {
                "since": "3.9.4",
                "text": "older versions cannot read the index that it writes",
                "going_back": "stop the node, restore the backup of its index, or delete the index and wait until it"
                " is rebuilt",
            }
        ],
        "notes": [],
        "inferred": "",
        "sources": ["release notes of 3.9.4 (2017-05-03)"],
    }


def test_every_hop_is_told_with_what_cannot_be_undone_before_it_is_done():
    said = text(gossip(*["3.4.0.0"] * 3), "20.10.6")
    assert said.startswith("cluster1 from 3.4.0 to 20.10.6 in 5 hops, 1 of them with all nodes down 3.4.0")
    places = [
        said.index(each)
        for each in (
            "3.4.0 runs on node1/database (Master), node2/database (Slave)",
            "Hop 1 of 5: 3.4.0 -> 3.9.4, rolling before Back up the index of every node node1: /var/lib/eventstore/in",
            "ONE WAY from 3.9.4 on: older versions cannot read the index",
            "inferred the vendor's post names 3.9.x",
            "source release notes of 3.9.4 (2017-05-03)",
            "Hop 2 of 5: 3.9.4 -> 4.0.3, rolling ONE WAY from 4.0.0 on",
            "Hop 3 of 5: 4.0.3 -> 4.1.4, rolling, slaves first, master last before Back up the index",
            "before Stop all projections",
            "Hop 4 of 5: 4.1.4 -> 5.0.11",
            "go back a full rebuild of the index",
            "Hop 5 of 5: 5.0.11 -> 20.10.6, STOP ALL nodes, upgrade, start all",
            "note Managers are gone",
            "Or in 4 hops, 2 of them with all nodes down: 3.4.0 -> 4.0.3 (stop all) -> 4.1.4",
            "configuration for 20.x and later is not managed by this collection",
            "Nothing was changed",
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(("platform", "told"), [("linux", False), ("windows", True)])
def test_net_framework_only_where_there_is_windows(platform, told):
    made = planned()
    made["hosts"]["node2"]["platform"] = platform
    assert (".NET Framework 4.7.1" in text(gossip(*["4.1.4"] * 3), "5.0.11", made)) == told


@pytest.mark.parametrize(("mode", "told"), [("managers", True), ("nodes", False)])
def test_managers_are_missed_only_where_there_are_some(mode, told):
    made = planned(eventstore_cluster_mode=mode)
    assert ("Managers are gone" in text(gossip(*["5.0.11"] * 3), "20.10.6", made)) == told


def test_the_index_is_where_it_is_planned_to_be():
    made = planned(eventstore_database_options={"Index": "/fast/index"}, eventstore_data_dir="/srv/es")
    assert "node1: /fast/index node2: /fast/index" in text(gossip(*["3.9.3"] * 3), "3.9.4", made)
    made = planned(eventstore_data_dir="/srv/es")
    assert "node1: /srv/es/index node2: /srv/es/index" in text(gossip(*["3.9.3"] * 3), "3.9.4", made)


def test_an_interrupted_roll_names_the_nodes_that_are_left():
    said = text(gossip("3.9.3", "3.9.4", "3.9.4"), "3.9.4")
    assert "An upgrade was interrupted; hop 1 finishes it" in said
    assert "nodes node1/database; the others run 3.9.4 already" in said
    assert "node1: /var/lib/eventstore/index ONE WAY" in said


def test_nothing_to_do():
    result = es_upgrade_plan(gossip(*["5.0.11.0"] * 3), planned(), "5.0.11")
    assert result == {
        "hops": [],
        "lines": ["cluster1 runs 5.0.11 on every node; there is nothing to do"],
        "problems": [],
    }


def test_a_sick_cluster_is_told_before_the_first_hop():
    wrong = {"code": "lag", "text": "node2/database is behind", "hint": "Wait"}
    advice = {"code": "clock-skew", "text": "clocks differ", "hint": "Set them"}
    said = text(gossip(*["3.9.3"] * 3, healthy=False, problems=[wrong, advice]), "3.9.4")
    assert said.index("NOT NOW: the cluster is not healthy") < said.index("- lag: node2/database is behind. Wait.")
    assert said.index("- lag") < said.index("Hop 1 of 1")
    assert "clocks differ" not in said
    assert "NOT NOW" not in text(gossip(*["3.9.3"] * 3, problems=[advice]), "3.9.4")


@pytest.mark.parametrize(("size", "quorum", "told"), [(3, 2, False), (2, 2, True), (1, 1, True)])
def test_no_node_to_spare(size, quorum, told):
    facts = gossip(*["3.9.3"] * 3, cluster_size=size, quorum_size=quorum)
    assert ("NO NODE TO SPARE" in text(facts, "3.9.4")) == told


def refusal(facts, target):
    result = es_upgrade_plan(facts, planned(), target)
    assert (result["hops"], result["lines"]) == ([], [])
    return result["problems"]


def test_refused_while_a_node_does_not_answer_with_what_is_known_of_it():
    silent = {"code": "no-answer", "text": "node3/database does not answer", "hint": "Look there"}
    problems = refusal(gossip("3.4.0", "3.4.0", "", problems=[silent]), "5.0.11")
    assert [problem["code"] for problem in problems] == ["unknown-version", "no-answer"]
    assert "missing: node3/database (192.168.1.13:2113)" in problems[0]["text"]


SERVICE = "es-cluster1"


@pytest.mark.parametrize(
    ("answers", "stopped", "start", "expected"),
    [
        # Nothing runs: what each machine ran last tells, also where a part is done.
        (["", "", ""], [{SERVICE: "3.4.0"}] * 3, "", ("3.4.0", "4.0.3", [1, 2, 3])),
        (["", "", ""], [{SERVICE: "4.0.3"}, {SERVICE: "3.4.0"}, {SERVICE: "3.4.0"}], "", ("3.4.0", "4.0.3", [2, 3])),
        (["4.0.3.0", "", "4.0.3.0"], [None, {SERVICE: "3.4.0"}, None], "", ("3.4.0", "4.0.3", [2])),
        (["", "", ""], [{SERVICE: "4.0.3"}] * 3, "", None),
        # A machine that does not tell it is as old as the oldest, or as the operator says.
        (["", "", ""], [{SERVICE: "3.4.0"}, {}, {}], "", ("3.4.0", "4.0.3", [1, 2, 3])),
        (["", "", ""], [{}, {}, {}], "3.4.0", ("3.4.0", "4.0.3", [1, 2, 3])),
        (["", "", ""], [{SERVICE: "4.0.3"}, {}, {}], "3.4.0", ("3.4.0", "4.0.3", [2, 3])),
        (["", "", ""], [{}, {}, {}], "", "node1/database, node2/database, node3/database does not run"),
        (["", "", ""], [{SERVICE: "4.0.3"}, {}, {}], "", "node2/database, node3/database does not run"),
        (["4.0.3.0", "3.4.0.0", ""], [None, None, {SERVICE: "3.4.0"}], "", "cannot be one cluster"),
    ],
)
def test_what_does_not_run_has_the_version_that_it_ran_last(answers, stopped, start, expected):
    facts = gossip(*answers)
    silent = {host: versions for host, versions in zip(HOSTS, stopped) if versions is not None}
    result = es_upgrade_plan(facts, planned(), "4.0.3", stopped=silent, start=start, shortest=True)
    if isinstance(expected, str):
        assert expected in result["problems"][0]["text"]
        return
    hops = [(hop["from"], hop["to"], hop["nodes"]) for hop in result["hops"]]
    assert hops == ([(*expected[:2], [f"node{n}/database" for n in expected[2]])] if expected else [])


def test_without_managers_each_node_has_the_version_of_its_own_service():
    made = planned(eventstore_cluster_mode="nodes")
    assert made["hosts"]["node1"]["nodes"][0]["service"] == "es-cluster1-database"
    facts = gossip("", "3.4.0.0", "3.4.0.0")
    for service, nodes in (("es-cluster1-database", 2), ("es-cluster1-other", 3)):
        result = es_upgrade_plan(facts, made, "3.9.4", stopped={"node1": {service: "3.9.4"}})
        assert [len(hop["nodes"]) for hop in result["hops"]] == [nodes]


def stranger(**changes):
    told = {"name": "192.168.1.99:2112", "host": "", "address": "192.168.1.99:2113", "state": "Slave"}
    return {**told, "es_version": "", **changes}


def test_a_live_member_that_is_not_planned_counts_and_a_dead_one_does_not():
    facts = gossip(*["3.9.3"] * 3)
    facts["members"].append(stranger(is_alive=True))
    assert "missing: 192.168.1.99:2112" in refusal(facts, "3.9.4")[0]["text"]
    facts["members"][-1] = stranger(is_alive=False)
    assert es_upgrade_plan(facts, planned(), "3.9.4")["problems"] == []


def test_refused_without_any_member():
    assert "no database node" in refusal(gossip(), "5.0.11")[0]["text"]


@pytest.mark.parametrize(("target", "said"), [("3.3.0", "downgrade"), ("", "upgrade_to"), (5.0, "but came '5.0'")])
def test_refused_as_a_problem_with_a_hint(target, said):
    (problem,) = refusal(gossip(*["3.4.0"] * 3), target)
    assert problem["code"] == "no-upgrade"
    assert said in f"{problem['where']}: {problem['text']}"
    assert problem["hint"]


def test_every_option_known_on_the_way():
    made = planned(eventstore_database_options={"RunProjections": "All"})
    assert "each of these versions knows every planned option" in text(gossip(*["3.4.0"] * 3), "5.0.11", made)


def test_options_of_the_target_that_a_version_on_the_way_refuses():
    made = planned(eventstore_version="5.0.11", eventstore_database_options={"StructuredLog": False})
    said = text(gossip(*["4.0.3"] * 3), "5.0.11", made)
    assert (
        "4.1.4: the server refuses StructuredLog, first known in 5.0.0: configure it after this hop (node1/database,"
        " node2/database, node3/database)" in said
    )
    assert "5.0.11: the server refuses" not in said


@pytest.mark.parametrize(("start", "end", "told"), [("4.1.4", "5.0.11", True), ("5.0.10", "5.0.11", False)])
def test_a_reference_in_the_environment_changes_its_meaning_with_5_0(start, end, told):
    made = planned()
    made["hosts"]["node2"]["nodes"][0]["environment"] = {"EVENTSTORE_EXT_IP": "${env:HOST_IP}", "OTHER": "${env:X}"}
    said = text(gossip(*[start] * 3), end, made)
    assert ("the environment variable EVENTSTORE_EXT_IP was the text ${env:HOST_IP}" in said) == told
    assert "OTHER" not in said


def test_a_changed_meaning_is_told_where_5_0_is_passed_and_not_again():
    made = planned()
    made["hosts"]["node2"]["nodes"][0]["environment"] = {"EVENTSTORE_EXT_IP": "${env:HOST_IP}"}
    assert text(gossip("4.1.4", "5.0.9", "5.0.9"), "5.0.11", made).count("${env:HOST_IP}") == 1


@pytest.mark.parametrize("target", ["3.9.4", "5.0.11", "26.0.0"])
def test_lines_fit_beside_what_ansible_puts_before_them(target):
    result = es_upgrade_plan(gossip(*["3.4.0"] * 3), planned(), target)
    assert max(map(len, result["lines"])) <= 72
