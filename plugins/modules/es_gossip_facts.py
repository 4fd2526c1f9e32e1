#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_gossip_facts
short_description: Query all servers of a cluster and report whether it has quorum
version_added: 1.0.0
description:
  - Queries the gossip of all given managers and nodes at the same time, with one deadline for all, and returns the
    state of the cluster as the fact C(es_gossip).
  - The module does not trust a single answer. The cluster has quorum if exactly one node reports itself as master, and
    enough nodes report themselves as in sync with this master, which knows them. So the result is right even if a dead
    master is still listed, a frozen master looks alive to others, a seed was never reached, or a node runs as a
    separate cluster.
  - Runs on the controller by default, without a connection to the host of the task. It takes some milliseconds and
    works for Windows hosts too.
  - Works with the gossip of 3.x to 26.1, over plain HTTP or with O(tls).
options:
  endpoints:
    description:
      - Endpoints to query. Each is a string C(HOST:PORT), or a dictionary with C(address) and optionally C(name),
        C(host), C(kind), C(internal) and C(server_name).
      - C(address) is the HTTP address to query; the external one if a node has two. Its host is an IP address or the
        name of one server.
      - C(server_name) is the name or IP address that the certificate of the node must carry, if that is not the host of
        C(address). Only with O(tls).
      - C(kind) is C(database) or C(manager). By default the answer determines it.
      - C(internal) is the address that identifies a server in gossip, the internal HTTP address up to 5.x and the
        advertised one of later versions. Set it if no answer may contain it, for example for a node that may be down.
      - C(name) and C(host) are used in messages. The plan of P(eventstore.cluster.es_plan#filter) contains such a list.
      - List all nodes, because only nodes that answer themselves count for the quorum.
    type: list
    elements: raw
    required: true
  cluster_size:
    description:
      - The cluster size, as C(ClusterSize) in the configuration of the nodes.
      - By default, the module counts the voting nodes in O(endpoints) and in gossip. Gossip does not show a wrong
        C(ClusterSize), so set the intended value.
    type: int
  tls:
    description:
      - Ask over TLS, as nodes of 20.6 and later expect it unless they run with C(Insecure). Without it plain HTTP.
      - The certificate of each node must be signed by O(tls.ca), and carry the host of the endpoint or its
        C(server_name). That cannot be switched off. No client certificate is sent.
    type: dict
    version_added: 2.0.0
    suboptions:
      ca:
        description:
          - A file with certificates of authorities in PEM or DER form, or a directory with such files whose names end
            in C(.crt), C(.cert), C(.cer), C(.pem) or C(.der). The authorities of the system are not trusted.
          - It is read where the endpoints are asked from, see O(from).
        type: path
        required: true
  user:
    description:
      - The user for gossip that is not open to all (C(OverrideAnonymousEndpointAccessForGossip) is C(false)), of the
        group C($ops) or C($admins). Only with O(tls).
      - It goes only to trusted nodes, and only to a URL that has answered 401 without it. Nodes refuse a wrong password
        even where all may ask.
    type: str
    version_added: 2.0.0
  password:
    description: The password of O(user).
    type: str
    version_added: 2.0.0
  timeout:
    description:
      - Seconds for one sweep of all endpoints.
    type: float
    default: 2.0
  until:
    description:
      - Repeat the sweep until this condition is true.
      - With V(none), the module makes one sweep and never fails because of the cluster's state. Some advice is harmful
        if it is wrong (C(several-masters), C(cluster-size-one), C(gossip-not-ready), C(master-silent)). Before such
        advice, the module repeats the sweep for some seconds, and gives the advice only if the problem persists.
      - V(answered) requires that every endpoint answers.
      - V(quorum) requires RV(ansible_facts.es_gossip.has_quorum).
      - V(healthy) requires RV(ansible_facts.es_gossip.healthy).
      - V(steady) requires a healthy cluster and, since the previous sweep, no election and no node that started, exited
        or stopped answering. Use it with O(settle) to wait after a change.
    type: str
    choices: [none, answered, quorum, healthy, steady]
    default: none
  wait_timeout:
    description:
      - Seconds to wait for O(until). After a change, nodes can disagree for up to 15 seconds.
    type: float
    default: 60.0
  settle:
    description:
      - Seconds for which O(until) must be true without interruption.
    type: float
    default: 0.0
  watch:
    description:
      - Seconds for which the module repeats the sweep. RV(ansible_facts.es_gossip.watched) contains the events in this
        time. The other facts are those of the last sweep.
      - Not together with O(until), which watches while it waits.
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
      - The machine that sends the queries. V(target) is for networks in which only the hosts reach each other. It needs
        Python on the host.
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
    details: The module changes nothing.
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
- name: Query three nodes
  eventstore.cluster.es_gossip_facts:
    endpoints:
      - 192.168.1.11:2113
      - 192.168.1.12:2113
      - 192.168.1.13:2113
    cluster_size: 3
  run_once: true

# The condition is true on all hosts of a play at the same time: examples/conditional.yml chooses one host.
- name: Fail if the cluster cannot lose a node
  ansible.builtin.fail:
    msg: "The cluster cannot lose a node. {{ ansible_facts.es_gossip.problems | map(attribute='text') | join('; ') }}"
  when: ansible_facts.es_gossip.can_lose < 1
  run_once: true

- name: Wait until the cluster is healthy and calm
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

- name: Wait for nodes that are queried by name over TLS
  eventstore.cluster.es_gossip_facts:
    endpoints: [node1.example.org:2113, node2.example.org:2113, node3.example.org:2113]
    cluster_size: 3
    tls:
      ca: files/ca.crt
    until: healthy
  run_once: true

- name: Query nodes by IP address whose certificates carry only names, with a user
  eventstore.cluster.es_gossip_facts:
    endpoints:
      - {address: "192.168.1.11:2113", server_name: node1.example.org}
      - {address: "192.168.1.12:2113", server_name: node2.example.org}
      - {address: "192.168.1.13:2113", server_name: node3.example.org}
    tls:
      ca: /etc/eventstore/certs/ca
    user: ops
    password: "{{ vaulted_password_of_ops }}"
  run_once: true

- name: Watch the cluster for one minute
  eventstore.cluster.es_gossip_facts:
    endpoints: [192.168.1.11:2113, 192.168.1.12:2113, 192.168.1.13:2113]
    watch: 60
  run_once: true

- name: Fail if two nodes were master at the same time
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
    - The facts. If O(until) is not true in time, the task fails with the problems in its message. The result contains
      the last facts only with C(-vvv).
  returned: if the endpoints are valid
  type: dict
  contains:
    es_gossip:
      description: The state of the cluster.
      type: dict
      returned: always
      contains:
        has_quorum:
          description: Whether one master and enough nodes in sync with it answer and agree.
          type: bool
          returned: always
          sample: true
        healthy:
          description:
            - Whether the cluster has quorum, all answers agree, and RV(ansible_facts.es_gossip.problems) contains only
              advice (C(clock-skew), C(versions-differ), C(old-member), C(unreached-seed), C(replica-lagging),
              C(certificate-ends-soon)).
          type: bool
          returned: always
          sample: true
        agreed:
          description: Whether all answers show the same live nodes in the same states, with one master.
          type: bool
          returned: always
          sample: true
        can_lose:
          description: The number of nodes in sync that can stop without a loss of quorum.
          type: int
          returned: always
          sample: 1
        cluster_size:
          description: The cluster size, from which the quorum is computed.
          type: int
          returned: always
          sample: 3
        quorum_size:
          description: The number of nodes that must be in sync, including the master.
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
            - All nodes, in the order of O(endpoints), then nodes that are only in gossip.
            - C(answers) is whether the node answers, C(is_alive) whether any server lists it as alive, C(asked) whether
              it is one of O(endpoints). C(lag_bytes) is null if it is unknown.
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
          description: All managers in O(endpoints) or in gossip.
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
          description: Seeds that a server lists and no server has reached yet.
          type: list
          elements: str
          returned: always
          sample: []
        nodes_by_state:
          description: Names of the nodes by state. Nodes that do not answer, or are dead, are C(Unreachable).
          type: dict
          returned: always
          sample: {Master: [node1/database], Slave: [node2/database, node3/database]}
        clock_skew_s:
          description: The largest difference between the clocks of two servers, in seconds.
          type: float
          returned: always
          sample: 0.412
        views:
          description:
            - The answer of each endpoint. C(error) is empty or one of C(refused), C(unreachable), C(timeout),
              C(closed), C(not_http), C(too_long), C(status), C(not_gossip) and C(not_itself); with names C(unresolved);
              with TLS C(untrusted), C(wrong_name), C(expired), C(not_yet_valid), C(handshake), C(plain_http) and
              C(is_tls).
            - C(certificate) is the certificate of the node with O(tls), even if it is not trusted, else null.
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
              certificate:
                subject: CN=eventstoredb-node
                names: [192.168.1.11, node1.example.org]
                not_before: "2026-11-22T00:00:00Z"
                not_after: "2027-11-22T00:00:00Z"
        watched:
          description:
            - Events from the first sweep of O(watch) or O(until) to the last.
            - C(calm_s) is the time up to the last sweep with quorum under one master and epoch, in which no node
              started, exited or stopped answering. C(elections) counts new epochs and changes of the master.
              C(two_masters_s) and C(no_quorum_s) are the longest uninterrupted times; C(two_masters) names the nodes.
              C(restarted) lists nodes with a new process, C(ended) nodes that reported their shutdown, for example to
              truncate their data. A node is listed once for each event.
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
          description: The problems, the most important first. C(hint) is the remedy.
          type: list
          elements: dict
          returned: always
          sample:
            - code: no-answer
              text: "node3/database (192.168.1.13:2113) does not answer: connection refused"
              hint: Nothing is listening on 192.168.1.13:2113. Check on node3 that the database node is running
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
