# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of foreign text, with texts that it reads, and a mutator: EventStoreError is all that may come out."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import random
import tarfile
import tempfile
import typing as t
import zipfile

from ansible_collections.eventstore.cluster.plugins.module_utils import certificate, foreign
from ansible_collections.eventstore.cluster.plugins.module_utils.config import (
    document,
    layers,
    secret,
    values,
    watchdog,
    whatif,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.http import head
from ansible_collections.eventstore.cluster.plugins.module_utils.http.answer import AnswerParser
from ansible_collections.eventstore.cluster.plugins.module_utils.software.archive import open_archive
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import lease
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Version
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import (
    acl,
    network,
    processes,
    script,
    services,
    urlacl,
)
from tests.doubles import certificates

FIXTURES = pathlib.Path(__file__).parents[1] / "unit/fixtures/gossip"
OPTIONS = option_set("database", "5.0.11")
TIME = "2026-11-22T22:46:08.7874Z"
NETSTAT = (
    "  TCP    0.0.0.0:2113    0.0.0.0:0    ABH\u00d6REN    4\r\n  TCP    [::]:1113    [::]:0    LISTENING    812\r\n"
)
QUEUES = "Request queue name: x\n    Processes:\n        ID: 4796, image: C:\\x.exe\n    URLs:\n        HTTP://127.0.0.1:2113/\n"
ROUTES = "     127.0.0.1  255.255.255.255   On-link   127.0.0.1    331\n"
ACL = "    Reserved URL : http://+:2113/ \n        User: NT AUTHORITY\\LOCAL SERVICE\n            Listen: Yes\n"
ACL += "            Delegate: No\n            SDDL: D:(A;;GX;;;LS)\n"
DUMP = "MODIFIED OPTIONS:\n\n\tCLUSTER SIZE:             3 (Config File)\n\nDEFAULT OPTIONS:\n\n\tDB: x (<DEFAULT>)\n"
SDDL = "O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;;0x1200a9;;;LS)"
QC = "\nHKEY_LOCAL_MACHINE\\x\n    ImagePath    REG_EXPAND_SZ    C:\\x.exe\n    Start    REG_DWORD    0x2\n"
QC += "    FailureActions    REG_BINARY    80510100000000000000000003000000140000000100000060EA0000\n"
YAML = "---\nDb: /srv/es\nClusterSize: 3\nGossipSeed: ['10.0.0.1:2112', '10.0.0.2:2112']\n# x\nMemDb: true\n"
HTTP = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


class Parser(t.NamedTuple):
    """``read`` takes what ``seeds`` are: text or bytes."""

    read: t.Callable[[t.Any], object]
    seeds: t.Sequence[str | bytes]


def _answer(raw: bytes) -> None:
    parser = AnswerParser(1024 * 1024)
    if not parser.feed(raw):
        parser.end()


def _option(raw: str) -> None:
    for name in ("ClusterSize", "IntIp", "GossipSeed", "MemDb", "Db", "Log", "StatsPeriodSec"):
        option = OPTIONS.find(name)
        if option:
            with contextlib.suppress(foreign.FormatError):
                values.parse(option, raw, OPTIONS.traits)
    with contextlib.suppress(EventStoreError):
        values.check(OPTIONS, {"ClusterSize": raw, "IntIp": raw, "GossipSeed": [raw], raw: raw}, refuse_unknown=False)


def _layers(raw: str) -> None:
    words = raw.split()
    environment = {f"EVENTSTORE_{word[:40].upper()}": word for word in words}
    layers.effective(OPTIONS, file=None, file_name="x", environment=environment, arguments=words)


def _edit(raw: str) -> None:
    document.edit(raw, {}, options=OPTIONS, where="x")


def _archive(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "archive")
        path.write_bytes(raw)
        with open_archive(str(path)) as opened:
            opened.require("eventstored")
            opened.unpack(pathlib.Path(folder, "out"))


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name in ("top/eventstored", "top/web/index.html", "top/a"):
            file.writestr(name, "content")
    return stream.getvalue()


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as file:
        for name in ("top/eventstored", "top/web/index.html"):
            info = tarfile.TarInfo(name)
            info.size = 7
            file.addfile(info, io.BytesIO(b"content"))
    return stream.getvalue()


def _windows(read: t.Callable[..., object]) -> t.Callable[[str], object]:
    return lambda text: read(script.Ran(0, text))


def parsers() -> dict[str, Parser]:
    gossip = [path.read_bytes() for path in sorted(FIXTURES.glob("*.json"))[:4]]
    one = json.loads((FIXTURES / "3.4-managers.json").read_text())
    one["members"] = one["members"][:2]
    gossip.append(json.dumps(one).encode())
    return {
        "access": Parser(lambda text: (acl.is_for_local_service(text), acl.may_local_service_change(text)), [SDDL]),
        "archive": Parser(_archive, [_zip(), _tar()]),
        "certificate": Parser(certificate.parse, [certificates.leaf("10.0.0.1", "node1.example.org").der]),
        "document": Parser(lambda text: document.read(text, where="x"), [YAML]),
        "document edit": Parser(_edit, [YAML]),
        "document mask": Parser(lambda text: document.mask(OPTIONS, text), [f"{YAML}CertificatePassword: x\n"]),
        "endpoint": Parser(Endpoint.parse, ["192.168.1.11:2113", "[::1]:2113"]),
        "endpoint by name": Parser(lambda text: Endpoint.parse(text, names=True), ["node1.example.org:2113"]),
        "gossip": Parser(lambda raw: members.parse(raw, where="x"), gossip),
        "http": Parser(_answer, [HTTP, SIZED]),
        "http request": Parser(head.parse_request, [b"POST /gossip?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3"]),
        "json": Parser(foreign.parse_json, ['{"a": [1, -2.5e3, "\\u00fc\\ud834\\udd1e", null]}']),
        "layers": Parser(_layers, ["--cluster-size 3 --int-ip=10.0.0.1 -MemDb"]),
        "lease": Parser(lease.parse, [b'{"owner": "someone", "seconds": 30}']),
        "number": Parser(lambda text: foreign.parse_number(text, -(2**63), 2**63), ["4711", "-1"]),
        "options": Parser(_option, ["3", "10.0.0.1", "10.0.0.1:2112,10.0.0.2:2112", "true", "/srv/es"]),
        "time": Parser(members.seconds, [TIME, "2026-11-22T22:46:08Z"]),
        "url": Parser(
            lambda text: (secret.without_credentials(text), secret.has_credentials(text)), ["https://u:p@h/a?b"]
        ),
        "versions": Parser(Version.parse, ["3.4.0", "5.0.11"]),
        "watchdog": Parser(watchdog.parse, ["# --config /etc/a.yaml\n# --config /etc/b.yaml --mem-db\n"]),
        "whatif": Parser(whatif.parse, [DUMP]),
        "windows acl": Parser(urlacl.parse_show, [ACL]),
        "windows addresses": Parser(network.read_addresses, [ROUTES]),
        "windows answer": Parser(
            lambda text: (script.answer(text), script.ran(text), script.outputs(text, 1)),
            ["ES1:QUFB\r\nES1:RC:0\r\n", "ES1:FREE:1234\r\n"],
        ),
        "windows file": Parser(script.content, ["QUFB"]),
        "windows number": Parser(script.number, ["-2147024891 QUFB"]),
        "windows listeners": Parser(lambda text: network.read_listeners(text, text), [NETSTAT, QUEUES]),
        "windows processes": Parser(processes.read, ["NDcxMSA0IEM6XHguZXhl"]),
        "windows sddl": Parser(
            lambda text: (urlacl.parse_sddl(text), urlacl.check_sddl(text)),
            ["D:(A;;GX;;;LS)", "D:(A;;0x20000000;;;S-1-5-19)"],
        ),
        "windows settings": Parser(_windows(services.read_settings), [QC]),
        "windows state": Parser(
            _windows(lambda ran: services.read_state(ran, name="x")), ["        STATE              : 4  RUNNING\n"]
        ),
        "windows table": Parser(
            lambda text: (script.table(text), script.texts(text)), ["QUFB", "NDcxMSA0IEM6XHguZXhl"]
        ),
        "windows url": Parser(urlacl.parse_url, ["http://192.168.1.11:2113/", "https://+:443/a/"]),
    }


TOKENS = [
    *(
        "\u00b2",
        "\u0663",
        "\u2167",
        "\x00",
        "\n",
        "\r\n",
        "\t",
        " " * 300,
        "\n" * 300,
        "-",
        "+",
        "..",
        "/",
        "\\",
        "%",
        ":",
    ),
    *(
        "9" * 5000,
        "0" * 400 + "1",
        "-1",
        "1e999",
        "NaN",
        "0x",
        "0X" + "F" * 300,
        "1_0",
        "65536",
        "99999999999999999999",
    ),
    *(
        "[" * 500,
        "{" * 500,
        '{"a":' * 1500,
        "(" * 300,
        ")" * 300,
        "<" * 99,
        '"',
        "'",
        "&a [*a,*a]",
        "!!python/x",
        "? ",
        "- " * 200,
    ),
    *(
        "\\ud800",
        "\ud800",
        "[::1%eth0]",
        "[",
        "]",
        "(A;;;;;)",
        "A B " * 100,
        "a=b",
        "=",
        ";" * 50,
        "\u3000",
        "\ufeff",
        "e" * 300,
    ),
]


def mutated(seed: str | bytes, chance: random.Random) -> str | bytes:
    """The seed with up to six changes: cut, doubled, moved, replaced by what parsers stumble over."""
    found = seed
    for _change in range(chance.randint(1, 6)):
        low, high = sorted(chance.randrange(len(found) + 1) for _end in "12")
        kind = chance.randrange(5)
        if kind == 0:
            piece = found[:0]
        elif kind == 1:
            piece = found[low:high] * chance.choice((2, 2, 3, 50))
        elif kind == 2:
            piece = found[low:high][::-1]
        else:
            token = chance.choice(TOKENS)
            piece = token.encode("utf-8", "surrogatepass") if isinstance(found, bytes) else token
            if kind == 3:
                high = low
            elif isinstance(found, bytes) and chance.random() < 0.5:
                piece = bytes([chance.randrange(256)])
                high = low + 1
        found = (found[:low] + piece + found[high:])[:20_000]  # type: ignore[operator]
    return found
