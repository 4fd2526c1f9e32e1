# SPDX-License-Identifier: GPL-3.0-or-later
"""WS-Management as pywinrm and pypsrp speak it: shells of cmd.exe, and runspace pools."""

from __future__ import annotations

import base64
import concurrent.futures
import re
import typing as t
import uuid
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import psrpcore
from psrpcore.types import (
    ErrorCategory,
    ErrorCategoryInfo,
    HostMethodIdentifier,
    NETException,
    PSInvocationState,
)

from tests.doubles.windows import shells
from tests.doubles.windows.machine import Machine, NotUnderstood
from tests.doubles.windows.powershell import Ran

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CMD = f"{SHELL}/cmd"
POWERSHELL = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
SPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": SHELL,
    "x": TRANSFER,
}
DECLARED = " ".join(f'xmlns:{name}="{uri}"' for name, uri in SPACES.items())
TIMED_OUT = 2150858793
NO_SUCH_SHELL = 2150858843
LARGEST_ENVELOPE = 512000


class Fault(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Command:
    """One command of a shell of cmd.exe; it runs when all of its input has come."""

    def __init__(self, line: str, *, takes_input: bool) -> None:
        self.line = line
        self.stdin = b""
        self.complete = not takes_input
        self.result: concurrent.futures.Future[shells.Ended] | None = None


class Pool:
    """One runspace pool, with its pipelines and what each still has to be sent."""

    def __init__(self) -> None:
        self.pool = psrpcore.ServerRunspacePool()
        self.ready: dict[uuid.UUID | None, list[bytes]] = {}
        self.inputs: dict[uuid.UUID, list[str]] = {}
        self.texts: dict[uuid.UUID, tuple[str, list[str]]] = {}
        self.results: dict[uuid.UUID, concurrent.futures.Future[Ran]] = {}


class WsMan:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.commands: dict[str, dict[str, Command]] = {}
        self.pools: dict[str, Pool] = {}
        self.workers = concurrent.futures.ThreadPoolExecutor(8)

    def answer(self, message: bytes) -> tuple[int, bytes]:
        """HTTP status and envelope for an envelope."""
        try:
            request = _Request(message)
            return 200, _envelope(request, self._answer(request))
        except Fault as fault:
            return 500, _fault(fault.code, str(fault))
        except NotUnderstood as error:
            self.machine.note("refused", {"why": str(error), "text": message.decode("utf-8", "replace")})
            return 500, _fault(0, f"tests.doubles.windows does not understand {error}")

    def _answer(self, request: _Request) -> str:
        action = request.action
        if request.uri == CMD:
            return self._cmd(request, action)
        if request.uri == POWERSHELL:
            return self._powershell(request, action)
        if request.uri.endswith("/config") and action == f"{TRANSFER}/Get":
            size = f"<cfg:MaxEnvelopeSizekb>{LARGEST_ENVELOPE // 1024}</cfg:MaxEnvelopeSizekb>"
            return f'<cfg:Config xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config">{size}</cfg:Config>'
        raise NotUnderstood(f"{action} of {request.uri}")

    # -- cmd.exe -------------------------------------------------------------------------------------------------------

    def _cmd(self, request: _Request, action: str) -> str:
        if action == f"{TRANSFER}/Create":
            if request.options.get("WINRS_CODEPAGE") != "65001":
                raise NotUnderstood(f"a shell with the code page {request.options.get('WINRS_CODEPAGE')}")
            shell_id = str(uuid.uuid4()).upper()
            self.commands[shell_id] = {}
            return _created(CMD, shell_id)
        shell = self.commands.get(request.shell_id)
        if shell is None:
            raise Fault(NO_SUCH_SHELL, f"There is no shell {request.shell_id}.")
        if action == f"{TRANSFER}/Delete":
            del self.commands[request.shell_id]
            return ""
        if action == f"{SHELL}/Command":
            line = " ".join([request.text("rsp:Command"), *request.texts("rsp:Arguments")])
            command_id = str(uuid.uuid4()).upper()
            takes_input = request.options.get("WINRS_CONSOLEMODE_STDIN") == "FALSE"
            shell[command_id] = Command(line, takes_input=takes_input)
            return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"
        command = shell[request.command_id]
        if action == f"{SHELL}/Send":
            stream = request.one("rsp:Stream")
            command.stdin += base64.b64decode(stream.text or "")
            command.complete = command.complete or stream.get("End", "").lower() in ("true", "1")
            return "<rsp:SendResponse/>"
        if action == f"{SHELL}/Receive":
            return self._receive(request, command)
        if action == f"{SHELL}/Signal":
            return "<rsp:SignalResponse/>"
        raise NotUnderstood(action)

    def _receive(self, request: _Request, command: Command) -> str:
        if not command.complete:
            raise Fault(TIMED_OUT, "The command still waits for input.")
        if command.result is None:
            command.result = self.workers.submit(shells.command_line, self.machine, command.line, command.stdin)
        ended = _within(command.result, request)
        streams = "".join(
            f'<rsp:Stream Name="{name}" CommandId="{request.command_id}">{base64.b64encode(data).decode()}</rsp:Stream>'
            for name, data in (("stdout", ended.stdout), ("stderr", ended.stderr))
            if data
        )
        return f"<rsp:ReceiveResponse>{streams}{_done(request.command_id, ended.code)}</rsp:ReceiveResponse>"

    # -- runspaces -----------------------------------------------------------------------------------------------------

    def _powershell(self, request: _Request, action: str) -> str:
        if action == f"{TRANSFER}/Create":
            shell_id = request.one("rsp:Shell").get("ShellId") or str(uuid.uuid4()).upper()
            pool = self.pools[shell_id] = Pool()
            (creation,) = [each for each in request.root.iter() if each.tag.endswith("}creationXml")]
            self._take(pool, base64.b64decode(creation.text or ""), None)
            return _created(POWERSHELL, shell_id)
        pool_ = self.pools.get(request.shell_id)
        if pool_ is None:
            raise Fault(NO_SUCH_SHELL, f"There is no shell {request.shell_id}.")
        if action == f"{TRANSFER}/Delete":
            del self.pools[request.shell_id]
            return ""
        if action == f"{SHELL}/Command":
            command_id = request.one("rsp:CommandLine").get("CommandId", "")
            psrpcore.ServerPipeline(pool_.pool, uuid.UUID(command_id))
            self._take(pool_, base64.b64decode(request.text("rsp:Arguments")), uuid.UUID(command_id))
            return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"
        pipeline = uuid.UUID(request.command_id) if request.command_id else None
        if action == f"{SHELL}/Send":
            self._take(pool_, base64.b64decode(request.text("rsp:Stream")), pipeline)
            return "<rsp:SendResponse/>"
        if action == f"{SHELL}/Receive":
            return self._receive_objects(request, pool_, pipeline)
        if action == f"{SHELL}/Signal":
            return "<rsp:SignalResponse/>"
        raise NotUnderstood(action)

    def _take(self, pool: Pool, data: bytes, pipeline_id: uuid.UUID | None) -> None:
        with self.machine.lock:
            pool.pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, pipeline_id))
            while True:
                event = pool.pool.next_event()
                if event is None:
                    break
                self._event(pool, event)
            self._collect(pool)

    def _event(self, pool: Pool, event: t.Any) -> None:
        if isinstance(event, psrpcore.CreatePipelineEvent):
            text = "\n".join(command.command_text for command in event.pipeline.commands)
            (command,) = event.pipeline.commands
            if not command.is_script or any(name for name, _value in command.parameters):
                raise NotUnderstood(f"a pipeline that is not one script with plain arguments: {text!r}")
            pool.texts[event.pipeline_id] = text, [str(value) for _name, value in command.parameters]
            pool.inputs[event.pipeline_id] = []
            if event.pipeline.no_input:
                self._start(pool, event.pipeline_id)
        elif isinstance(event, psrpcore.PipelineInputEvent):
            data = event.data
            pool.inputs[event.pipeline_id] += [str(each) for each in (data if isinstance(data, list) else [data])]
        elif isinstance(event, psrpcore.EndOfPipelineInputEvent):
            self._start(pool, event.pipeline_id)

    def _start(self, pool: Pool, pipeline_id: uuid.UUID) -> None:
        pool.pool.pipeline_table[pipeline_id].start()
        lines = pool.inputs.pop(pipeline_id)
        text, arguments = pool.texts.pop(pipeline_id)
        pool.results[pipeline_id] = self.workers.submit(shells.evaluate, self.machine, text, lines, arguments)

    def _receive_objects(self, request: _Request, pool: Pool, pipeline_id: uuid.UUID | None) -> str:
        if pipeline_id is not None and pipeline_id in pool.results:
            ran = _within(pool.results[pipeline_id], request)
            with self.machine.lock:
                del pool.results[pipeline_id]
                _write(pool.pool.pipeline_table[pipeline_id], ran)
                self._collect(pool)
        parts = pool.ready.pop(pipeline_id, [])
        if not parts:
            raise Fault(TIMED_OUT, "There is nothing to receive.")
        command = f' CommandId="{request.command_id}"' if request.command_id else ""
        streams = "".join(
            f'<rsp:Stream Name="stdout"{command}>{base64.b64encode(part).decode()}</rsp:Stream>' for part in parts
        )
        table = pool.pool.pipeline_table
        pipeline = table.get(pipeline_id) if pipeline_id is not None else None
        over = pipeline is not None and pipeline.state == PSInvocationState.Completed
        state = _done(request.command_id, 0) if over else ""
        return f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"

    def _collect(self, pool: Pool) -> None:
        while True:
            payload = pool.pool.data_to_send(LARGEST_ENVELOPE // 2)
            if payload is None:
                return
            pool.ready.setdefault(payload.pipeline_id, []).append(bytes(payload.data))


def _write(pipeline: psrpcore.ServerPipeline, ran: Ran) -> None:
    for line in ran.output:
        pipeline.write_output(line)
    for line in ran.errors:
        pipeline.write_error(
            NETException(Message=line),
            category_info=ErrorCategoryInfo(Category=ErrorCategory.NotSpecified, Reason="RemoteException"),
            fully_qualified_error_id="NativeCommandError",
        )
    if ran.exit_code is not None:
        pipeline.host_call(HostMethodIdentifier.SetShouldExit, [ran.exit_code])
    pipeline.complete()


class _Request:
    def __init__(self, message: bytes) -> None:
        try:
            self.root = ET.fromstring(message)  # noqa: S314 -- the tests' own clients, on loopback
        except ET.ParseError as error:
            raise NotUnderstood(f"a message that is no XML: {error}") from None
        self.action = self.text("a:Action")
        self.uri = self.text("w:ResourceURI")
        self.message_id = self.text("a:MessageID")
        self.options = {each.get("Name", ""): each.text or "" for each in self.root.iterfind(".//w:Option", SPACES)}
        selectors = {each.get("Name"): each.text or "" for each in self.root.iterfind(".//w:Selector", SPACES)}
        self.shell_id = selectors.get("ShellId", "")
        named = [each.get("CommandId") for each in self.root.iter() if each.get("CommandId")]
        self.command_id = named[0] or "" if named else ""
        seconds = re.fullmatch(r"PT(\d+(?:\.\d+)?)S", self.texts("w:OperationTimeout")[0])
        if not seconds:
            raise NotUnderstood("an operation without a time-out in seconds")
        self.timeout_s = float(seconds[1])

    def one(self, path: str) -> ET.Element:
        found = self.root.find(f".//{path}", SPACES)
        if found is None:
            raise NotUnderstood(f"a message without {path}")
        return found

    def text(self, path: str) -> str:
        return self.one(path).text or ""

    def texts(self, path: str) -> list[str]:
        return [each.text or "" for each in self.root.iterfind(f".//{path}", SPACES)]


T = t.TypeVar("T")


def _within(result: concurrent.futures.Future[T], request: _Request) -> T:
    """The result; the fault that clients know if it does not come within the time-out of the operation."""
    try:
        return result.result(request.timeout_s)
    except concurrent.futures.TimeoutError:
        raise Fault(
            TIMED_OUT,
            "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
        ) from None


def _envelope(request: _Request, body: str) -> bytes:
    header = (
        f"<a:Action>{escape(request.action)}Response</a:Action><a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>"
        f"<a:To>{SPACES['a']}/role/anonymous</a:To><a:RelatesTo>{escape(request.message_id)}</a:RelatesTo>"
    )
    return f"<s:Envelope {DECLARED}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>".encode()


def _fault(code: int, reason: str) -> bytes:
    text = escape(reason)
    wsman = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
    detail = f'<f:WSManFault xmlns:f="{wsman}" Code="{code}" Machine="lab"><f:Message>{text}</f:Message></f:WSManFault>'
    return (
        f"<s:Envelope {DECLARED}><s:Header/><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode>"
        f"<s:Value>w:TimedOut</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang='en-US'>{text}</s:Text>"
        f"</s:Reason><s:Detail>{detail}</s:Detail></s:Fault></s:Body></s:Envelope>"
    ).encode()


def _created(uri: str, shell_id: str) -> str:
    selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
    return (
        f"<x:ResourceCreated><a:Address>http://lab/wsman</a:Address><a:ReferenceParameters><w:ResourceURI>{uri}"
        f"</w:ResourceURI>{selector}</a:ReferenceParameters></x:ResourceCreated>"
        f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId><rsp:ResourceUri>{uri}</rsp:ResourceUri></rsp:Shell>"
    )


def _done(command_id: str, code: int) -> str:
    return (
        f'<rsp:CommandState CommandId="{command_id}" State="{SHELL}/CommandState/Done">'
        f"<rsp:ExitCode>{code}</rsp:ExitCode></rsp:CommandState>"
    )


__all__ = ["WsMan"]
