# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep over TLS, against servers with every fault of a certificate that was measured on 23.10.6 and 24.10.4."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep, tls
from ansible_collections.eventstore.cluster.plugins.module_utils.http.sweep import Access, Request, Sweeper
from tests.doubles import certificates
from tests.doubles.gossip.server import Act, ScriptedCluster

BODY = b'{"answer": 1}'
ONE, TWO = "127.0.52.1:2113", "127.0.52.2:2113"


@pytest.fixture
def roots(tmp_path) -> str:
    path = tmp_path / "ca.crt"
    path.write_bytes(certificates.authority().certificate_pem)
    return str(path)


@pytest.fixture
def asking(roots) -> t.Iterator[t.Callable[..., list[sweep.Result]]]:
    """Asks these addresses for these paths, all over one sweeper."""
    sweeper = Sweeper(Access(tls.trusting(roots), "ops", "right"))

    def ask(*addresses: str, paths: t.Sequence[str] = ("/gossip",), name: str = "") -> list[sweep.Result]:
        endpoints = [Endpoint.parse(address, names=True) for address in addresses]
        requests = [Request(endpoint, path, name) for path in paths for endpoint in endpoints]
        return sweeper.sweep(requests, timeout_s=3)

    with sweeper:
        yield ask


def a_node(cluster: ScriptedCluster, address: str, pair: certificates.Pair | None = None, **act: t.Any) -> None:
    cluster.serve_tls(address, pair or certificates.leaf(address.partition(":")[0]))
    for path in ("/gossip", "/info"):
        cluster.answer(address, path, Act(BODY, **act))


@contextlib.contextmanager
def listening(host: str, answer: t.Callable[[socket.socket], None]) -> t.Iterator[None]:
    """A server that takes one connection, and answers what comes first."""

    def serve() -> None:
        connection, _peer = server.accept()
        with connection:
            connection.recv(1024)
            answer(connection)

    with socket.create_server((host, 2113)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_two_servers_answer_and_show_their_certificates(scripted_cluster, asking):
    a_node(scripted_cluster, ONE)
    a_node(scripted_cluster, TWO, certificates.leaf("127.0.52.2", "node2.example.org"), way="chunked")
    for result, names in zip(asking(ONE, TWO), [("127.0.52.1",), ("127.0.52.2", "node2.example.org")]):
        assert (result.error, result.body) == ("", BODY)
        assert (result.certificate.subject, result.certificate.names) == ("CN=eventstoredb-node", names)


def test_one_connection_for_all_requests_and_all_sweeps(scripted_cluster, asking):
    a_node(scripted_cluster, ONE)
    for _sweep in range(3):
        assert [result.body for result in asking(ONE, paths=("/gossip", "/info"))] == [BODY, BODY]
    assert scripted_cluster.connections == {Endpoint.parse(ONE): 1}
    assert scripted_cluster.requests[Endpoint.parse(ONE), "/gossip"] == 3


def test_a_kept_connection_that_the_server_has_closed_is_made_again(scripted_cluster, asking):
    a_node(scripted_cluster, ONE)
    assert asking(ONE)[0].error == ""
    scripted_cluster.refuse(ONE)
    assert asking(ONE)[0].error == sweep.REFUSED
    a_node(scripted_cluster, ONE)
    assert asking(ONE)[0].error == ""


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"signer": certificates.authority("somebody else")}, tls.UNTRUSTED),
        ({"begins_days": -9, "ends_days": -1}, tls.EXPIRED),
        ({"begins_days": 1}, tls.NOT_YET_VALID),
    ],
)
def test_a_certificate_that_is_not_trusted_is_named_and_shown(scripted_cluster, asking, fault, expected):
    pair = certificates.leaf("127.0.52.1", **fault)
    a_node(scripted_cluster, ONE, pair)
    gossip, info = asking(ONE, paths=("/gossip", "/info"))
    assert {gossip.error, info.error} == {expected}
    assert gossip.body == b""
    assert gossip.certificate == info.certificate
    assert gossip.certificate.names == ("127.0.52.1",)
    assert scripted_cluster.requests == {}  # nothing was asked of a server that is not trusted


@pytest.mark.parametrize("names", [("127.0.52.9",), ("node1.example.org",), ()])
def test_a_certificate_for_another_address(scripted_cluster, asking, names):
    """The CN does not count, as it does not for the servers (san-none of the measured faults)."""
    a_node(scripted_cluster, ONE, certificates.leaf(*names, common_name="127.0.52.1"))
    (result,) = asking(ONE)
    assert (result.error, result.certificate.names) == (tls.WRONG_NAME, names)


def test_the_name_that_the_certificate_must_carry_is_not_the_address(scripted_cluster, asking):
    a_node(scripted_cluster, ONE, certificates.leaf("node1.example.org"))
    assert asking(ONE)[0].error == tls.WRONG_NAME
    assert asking(ONE, name="node1.example.org")[0].error == ""
    assert asking(ONE, name="node2.example.org")[0].error == tls.WRONG_NAME


def test_a_server_is_asked_by_name(scripted_cluster, asking):
    a_node(scripted_cluster, "127.0.0.1:2199", certificates.leaf("localhost"))
    good, unknown = asking("localhost:2199", "no-such-name.invalid:2199")
    assert (good.error, good.body) == ("", BODY)
    assert unknown.error == sweep.UNRESOLVED
    assert unknown.text.startswith("the name no-such-name.invalid gives no address: ")


def test_plain_http_where_tls_is_asked(asking):
    """An insecure 24.10.4 answers a TLS hello in HTTP."""
    with listening("127.0.52.3", lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")):
        (result,) = asking("127.0.52.3:2113")
    assert (result.error, result.text) == (tls.PLAIN_HTTP, "it speaks plain HTTP, but was asked over TLS")


def test_tls_where_plain_http_is_asked(scripted_cluster):
    """The server ends the connection without a word; what its port is shows a TLS hello."""
    a_node(scripted_cluster, ONE)
    (result,) = sweep.sweep([Request(Endpoint.parse(ONE), "/gossip")], timeout_s=3)
    assert (result.error, result.text) == (sweep.IS_TLS, "it speaks TLS, but was asked over plain HTTP")
    assert result.certificate.names == ("127.0.52.1",)


def test_a_handshake_that_fails(asking):
    """As after a reload of RSA-1024, which the server loads: it answers every hello with an alert."""
    alert = b"\x15\x03\x03\x00\x02\x02\x46"  # fatal, protocol_version
    with listening("127.0.52.3", lambda connection: connection.sendall(alert)):
        (result,) = asking("127.0.52.3:2113")
    assert (result.error, result.text) == (
        tls.HANDSHAKE,
        "the TLS handshake failed: tlsv1 alert protocol version",
    )


def test_a_server_that_never_answers_the_hello_costs_the_timeout_and_no_more(roots):
    with socket.create_server(("127.0.52.3", 2113)), Sweeper(Access(tls.trusting(roots))) as sweeper:
        start = time.monotonic()
        (result,) = sweeper.sweep([Request(Endpoint.parse("127.0.52.3:2113"), "/gossip")], timeout_s=0.3)
        assert time.monotonic() - start < 1
    assert (result.error, result.text) == (sweep.TIMEOUT, "connected, but no whole TLS handshake within 0.3 s")


@pytest.mark.parametrize(("password", "expected"), [("right", ""), ("wrong", sweep.STATUS)])
def test_the_user_is_told_only_where_a_url_is_not_open_to_all(roots, password, expected):
    with ScriptedCluster({"ops": "right"}) as cluster, Sweeper(Access(tls.trusting(roots), "ops", password)) as sweeper:
        a_node(cluster, ONE)
        cluster.answer(ONE, "/stats", Act(BODY, needs_user=True))
        requests = [Request(Endpoint.parse(ONE), path) for path in ("/gossip", "/stats", "/info")]
        for _sweep in range(2):
            gossip, stats, info = sweeper.sweep(requests, timeout_s=3)
            assert (gossip.error, info.error) == ("", "")  # with a wrong password these too would be 401
            assert (stats.error, stats.status) == (expected, 401 if expected else 200)


def test_without_a_user_a_url_that_needs_one_is_told(roots):
    with ScriptedCluster({"ops": "right"}) as cluster, Sweeper(Access(tls.trusting(roots))) as sweeper:
        a_node(cluster, ONE, needs_user=True)
        (result,) = sweeper.sweep([Request(Endpoint.parse(ONE), "/gossip")], timeout_s=3)
    assert (result.error, result.status) == (sweep.STATUS, 401)


def test_a_password_is_in_no_repr(roots):
    access = Access(tls.trusting(roots), "ops", "a-secret")
    assert "secret" not in repr(access) + repr(Sweeper(access))


def test_a_folder_of_authorities_is_read_as_the_servers_read_it(tmp_path, scripted_cluster):
    folder = tmp_path / "ca"
    folder.mkdir()
    (folder / "one.pem").write_bytes(certificates.authority("one").certificate_pem)
    (folder / "two.der").write_bytes(certificates.authority("two").der)
    (folder / "README.txt").write_text("not read")
    for address, name in ((ONE, "one"), (TWO, "two")):
        leaf = certificates.leaf(address.partition(":")[0], signer=certificates.authority(name))
        a_node(scripted_cluster, address, leaf)
    with Sweeper(Access(tls.trusting(str(folder)))) as sweeper:
        requests = [Request(Endpoint.parse(address), "/gossip") for address in (ONE, TWO)]
        assert [result.error for result in sweeper.sweep(requests, timeout_s=3)] == ["", ""]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "it holds no certificate that can be read"),
        (b"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n", "it holds no certificate"),
        ({}, "the folder has no file that ends in .crt, .cert, .cer, .pem, .der"),
        ({"a.txt": b""}, "the folder has no file that ends in"),
        ({"a.crt": b"garbage"}, "it holds no certificate that can be read"),
    ],
)
def test_an_authority_that_cannot_be_read_is_refused(tmp_path, content, reason):
    path = tmp_path / "ca"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
        for name, raw in content.items():
            (path / name).write_bytes(raw)
    with pytest.raises(GossipError) as caught:
        tls.trusting(str(path))
    assert str(caught.value).startswith(f"tls, ca, {path}")
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)
