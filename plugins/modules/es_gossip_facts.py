#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_gossip_facts
short_description: Ask all nodes of a cluster whether it has quorum
version_added: 1.0.0
description:
  - Asks many managers and database nodes at once for their gossip, with one deadline for all, and says what they
    together say of the cluster as the fact C(es_gossip).
  - No single answer is believed. The cluster has quorum when exactly one node says itself that it is master, and enough
    nodes say themselves that they are in sync with this master, which knows them. A dead master that is still listed,
    a frozen master that others think alive, a seed that was never reached, or a node that runs as a cluster of its own
    does not deceive it.
  - Runs on the controller by default, without connecting to the host of the task, so that it costs some milliseconds
    and works for Windows hosts too.
  - Plain HTTP only. Works with the gossip of 3.x to 5.x, and of later versions that serve it over plain HTTP.
options:
  endpoints:
    description:
      - Whom to ask. Each is a text C(IP:PORT), or a dictionary with C(address) and any of C(name), C(host), C(kind)
        and C(internal).
      - C(address) is the HTTP address to ask, the external one of a node that has two. Names are refused, because
        servers answer only when asked by address.
      - C(kind) is C(database) or C(manager); without it the answer tells.
      - C(internal) is the internal HTTP address, by which members know each other. Give it where it cannot be told from
        an answer, as for a node that may be down.
      - C(name) and C(host) are used in texts. The plan of P(eventstore.cluster.es_plan#filter) has such a list.
      - Give all database nodes, because quorum is believed only of those that answer for themselves.
    type: list
    elements: raw
    required: true
  cluster_size:
    description:
      - How many database nodes make up the cluster, as C(ClusterSize) in their configuration.
      - Without it, all voting database nodes are counted that were given in O(endpoints) or that are seen in gossip. A
        wrong C(ClusterSize) of the servers cannot be seen in gossip, so give what it has to be.
    type: int
  timeout:
    description:
      - Seconds for one sweep over all endpoints, whatever their number.
    type: float
    default: 2.0
  until:
    description:
      - Ask again until this holds.
      - V(none) asks once and never fails because of the cluster's state. Only where the answer would be advice that
        harms if it is wrong (C(several-masters), C(cluster-size-one), C(gossip-not-ready), C(master-silent)) it asks
        for some seconds more, and gives the advice if nothing else is seen in them.
      - V(answered) is that every endpoint answers for itself.
      - V(quorum) is RV(ansible_facts.es_gossip.has_quorum).
      - V(healthy) is RV(ansible_facts.es_gossip.healthy).
      - V(steady) is that it is healthy, and that since the sweep before no election was won and no node began, ended or
        fell silent. Together with O(settle) it is what to wait for after a change.
    type: str
    choices: [none, answered, quorum, healthy, steady]
    default: none
  wait_timeout:
    description:
      - Seconds to wait for O(until). After a change, real nodes disagree for up to 15 seconds.
    type: float
    default: 60.0
  settle:
    description:
      - Seconds for which O(until) must hold without a break.
    type: float
    default: 0.0
  watch:
    description:
      - Ask again and again for so many seconds, whatever comes, and say in RV(ansible_facts.es_gossip.watched) what
        happened meanwhile. The other facts are those of the last sweep.
      - Not together with O(until), which watches as long as it waits.
    type: float
    default: 0.0
  fail:
    description:
      - Whether the task fails where O(until) does not come true. Without it, RV(not_met) says why, and the facts are
        returned.
    type: bool
    default: true
    version_added: 2.0.0
  from:
    description:
      - Where to ask from. V(target) is for networks in which only the hosts reach each other, and needs Python there.
    type: str
    choices: [controller, target]
    default: controller
extends_documentation_fragment:
  - eventstore.cluster.attributes
  - eventstore.cluster.attributes.action
  - eventstore.cluster.attributes.facts
attributes:
  action:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
  facts:
    support: full
  platform:
    support: full
    platforms: all
    details: On Windows hosts only with O(from=controller).
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Ask three nodes
  eventstore.cluster.es_gossip_facts:
    endpoints:
      - 192.168.1.11:2113
      - 192.168.1.12:2113
      - 192.168.1.13:2113
    cluster_size: 3
  run_once: true

# This holds for one machine, and on all hosts of a play at once: examples/conditional.yml chooses one.
- name: Refuse to take a node down while the cluster cannot lose one
  ansible.builtin.fail:
    msg: "It can lose none. {{ ansible_facts.es_gossip.problems | map(attribute='text') | join('; ') }}"
  when: ansible_facts.es_gossip.can_lose < 1
  run_once: true

- name: Wait until every node and manager is in its place
  eventstore.cluster.es_gossip_facts:
    endpoints:
      - {name: node1/database, host: node1, kind: database, address: "192.168.1.11:2113", internal: "192.168.1.11:2112"}
      - {name: node2/database, host: node2, kind: database, address: "192.168.1.12:2113", internal: "192.168.1.12:2112"}
      - {name: node3/database, host: node3, kind: database, address: "192.168.1.13:2113", internal: "192.168.1.13:2112"}
      - {name: node1/manager, host: node1, kind: manager, address: "192.168.1.11:30778", internal: "192.168.1.11:30777"}
    cluster_size: 3
    until: steady
    settle: 5
  run_once: true

- name: See what happens to the cluster in one minute
  eventstore.cluster.es_gossip_facts:
    endpoints: [192.168.1.11:2113, 192.168.1.12:2113, 192.168.1.13:2113]
    watch: 60
  run_once: true

- name: Fail if two nodes were master at once
  ansible.builtin.assert:
    that: ansible_facts.es_gossip.watched.two_masters | length == 0
"""

RETURN = r"""
not_met:
  description: Why O(until) did not come true.
  returned: with O(fail=false), where it did not
  type: str
  sample: "until: quorum: the cluster has no quorum, 60.0 s after the first of 6 endpoints was asked"
ansible_facts:
  description:
    - The facts. When O(until) does not hold in time, the task fails with the problems in its message, and the last
      facts are in the result only with C(-vvv).
  returned: when the endpoints could be asked
  type: dict
  contains:
    es_gossip:
      description: What the answers together say.
      type: dict
      returned: always
      contains:
        has_quorum:
          description: Whether one master, and enough nodes in sync with it, answer for themselves and agree.
          type: bool
          returned: always
          sample: true
        healthy:
          description:
            - Whether there is quorum, all answers agree, and RV(ansible_facts.es_gossip.problems) has nothing but
              advice (C(clock-skew), C(versions-differ), C(old-member)).
          type: bool
          returned: always
          sample: true
        agreed:
          description: Whether all that answer see the same live database nodes in the same states, with one master.
          type: bool
          returned: always
          sample: true
        can_lose:
          description: How many of the nodes in sync may stop before the quorum is lost.
          type: int
          returned: always
          sample: 1
        cluster_size:
          description: The number of database nodes by which the quorum is counted.
          type: int
          returned: always
          sample: 3
        quorum_size:
          description: How many nodes have to be in sync, the master among them.
          type: int
          returned: always
          sample: 2
        master:
          description: The master, with its C(name), C(host), C(address) and C(internal) address, or null.
          type: dict
          returned: always
          sample: {name: node1/database, host: node1, address: "192.168.1.11:2113", internal: "192.168.1.11:2112"}
        members:
          description:
            - All database nodes, in the order of O(endpoints), then those that were only seen in gossip.
            - C(answers) is its own word, C(is_alive) that of anybody, C(asked) whether it is one of O(endpoints).
              C(lag_bytes) is null where it cannot be told.
          type: list
          elements: dict
          returned: always
          sample:
            - name: node1/database
              host: node1
              address: 192.168.1.11:2113
              internal: 192.168.1.11:2112
              state: Master
              is_alive: true
              asked: true
              answers: true
              in_sync: true
              lag_bytes: 0
              es_version: 3.4.0.0
              instance_id: c0c063f9-481d-41e2-aee3-309a9b61c87f
              time_stamp: "2026-11-22T22:46:08.7874Z"
              last_commit_position: 1591
              writer_checkpoint: 17102
              chaser_checkpoint: 17102
              epoch_number: 1
              node_priority: 0
        managers:
          description: All managers that were given or seen.
          type: list
          elements: dict
          returned: always
          sample:
            - name: node1/manager
              host: node1
              address: 192.168.1.11:30778
              internal: 192.168.1.11:30777
              is_alive: true
              asked: true
              answers: true
        unresolved_seeds:
          description: Seeds that somebody lists and nobody has reached yet.
          type: list
          elements: str
          returned: always
          sample: []
        nodes_by_state:
          description: Names of the database nodes by state. Those that do not answer, or are dead, are C(Unreachable).
          type: dict
          returned: always
          sample: {Master: [node1/database], Slave: [node2/database, node3/database]}
        clock_skew_s:
          description: The largest difference between two servers' clocks in seconds.
          type: float
          returned: always
          sample: 0.412
        views:
          description:
            - What came from each endpoint. C(error) is empty or one of C(refused), C(unreachable), C(timeout),
              C(closed), C(not_http), C(too_long), C(status), C(not_gossip) and C(not_itself).
          type: list
          elements: dict
          returned: always
          sample:
            - name: node1/database
              host: node1
              kind: database
              address: 192.168.1.11:2113
              ok: true
              error: ""
              text: ""
              status: 200
              seconds: 0.0021
              state: Master
              masters: [node1/database]
              clock_offset_s: -0.204
        watched:
          description:
            - What was seen from the first sweep to the last one of O(watch) or O(until).
            - C(calm_s) is for how long up to the last sweep there was quorum under one master and epoch, and no node
              began, ended or fell silent. C(elections) are new epochs and changes of the master. C(two_masters_s) and
              C(no_quorum_s) are the longest times without a break; C(two_masters) names the nodes. C(restarted) are
              nodes whose process is another one, C(ended) those that said that they shut down, as a node does that
              ends itself to truncate its data. A node that did so twice is named twice.
          type: dict
          returned: always
          sample:
            began: "2026-11-28T11:54:55Z"
            seconds: 30.041
            sweeps: 274
            calm_s: 12.196
            elections: 2
            epochs: [4, 5, 6]
            masters: [node1/database, node2/database]
            two_masters_s: 1.538
            two_masters: [node1/database, node2/database]
            no_quorum_s: 2.84
            restarted: [node1/database]
            ended: [node1/database]
        problems:
          description: What is wrong, the most important first; C(hint) says what to do.
          type: list
          elements: dict
          returned: always
          sample:
            - code: no-answer
              text: "node3/database (192.168.1.13:2113) does not answer: connection refused"
              hint: Nothing listens there. On node3 look whether the database node runs
              where: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.facts import (
    ARGUMENT_SPEC,
    ConditionNotMet,
    gather,
    not_met,
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, ansible_facts={"es_gossip": gather(module.params)})
    except ConditionNotMet as error:
        result = not_met(error, module.params["fail"], module._verbosity)
        if result.pop("failed", False):
            module.fail_json(**result)
        module.exit_json(**result)
    except EventStoreError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
