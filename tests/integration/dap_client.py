"""A plain DAP client, for tests and the demo: standard library only, no knowledge of ray-dap in it.

Threading: one reader thread collects messages; the caller waits on a condition with a deadline.
Errors: `DapError` for a failed response, `TimeoutError` when a deadline passes, `ConnectionError` when the server hangs up.
"""
from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, Callable, Optional

DEADLINE = 20.0


class DapError(Exception):
    def __init__(self, response: dict):
        self.response = response
        self.error = (response.get("body") or {}).get("error") or {}
        super().__init__(self.error.get("format") or response.get("message") or "request failed")


@dataclass
class Stop:
    """A thread that stopped, with its top frame."""

    client: "DapClient"
    thread: int
    reason: str
    frame: dict

    @property
    def name(self) -> str:
        return self.frame["name"].rpartition(".")[2]

    @property
    def line(self) -> int:
        return self.frame["line"]

    @property
    def path(self) -> str:
        return self.frame["source"]["path"]

    def locals(self) -> dict[str, str]:
        return self.client.locals(self.frame["id"])

    def evaluate(self, expression: str, context: str = "watch") -> str:
        return self.client.evaluate(expression, self.frame["id"], context)

    def resume(self) -> None:
        self.client.resume(self.thread)

    def step(self, command: str = "next") -> "Stop":
        self.client.request(command, {"threadId": self.thread})
        return self.client.stop(thread=self.thread)


class DapClient:
    def __init__(self, host: str, port: int, client_id: str = "ray-dap-tests"):
        self.sock: Optional[socket.socket] = socket.create_connection((host, port), timeout=DEADLINE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(None)
        self._start(self.sock.makefile("rb"), self.sock.sendall, client_id)

    @classmethod
    def over_pipes(cls, output: BinaryIO, stdin: BinaryIO, client_id: str = "ray-dap-tests") -> "DapClient":
        """A client of a server that speaks on its standard streams; ending that process is the caller's affair."""

        def write(data: bytes) -> None:
            stdin.write(data)
            stdin.flush()

        client = cls.__new__(cls)
        client.sock = None
        client._stdin = stdin
        client._start(output, write, client_id)
        return client

    def _start(self, stream: BinaryIO, write: Callable[[bytes], Any], client_id: str) -> None:
        self.client_id = client_id
        self.write = write
        self.seq = 0
        self.messages: list[dict] = []
        self.transcript: list[tuple[str, dict]] = []  # what was said ("->") and heard ("<-"), in order
        self.closed = False
        self.changed = threading.Condition()
        self.consumed: set[int] = set()
        self.reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.reader.start()

    # -- wire ---------------------------------------------------------------------------------
    def _read(self, stream: BinaryIO) -> None:
        try:
            while True:
                length = None
                while True:
                    line = stream.readline()
                    if not line:
                        return
                    if line == b"\r\n":
                        break
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = stream.read(length)
                if len(body) < length:
                    return
                message = json.loads(body)
                with self.changed:
                    self.messages.append(message)
                    self.transcript.append(("<-", message))
                    self.changed.notify_all()
        except (OSError, ValueError):
            pass
        finally:
            with self.changed:
                self.closed = True
                self.changed.notify_all()

    def send_raw(self, data: bytes) -> None:
        self.write(data)

    def _send_message(self, message: dict) -> int:
        self.seq += 1
        with self.changed:
            self.transcript.append(("->", message))
        body = json.dumps({"seq": self.seq, **message}).encode()
        self.send_raw(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self.seq

    def send(self, command: str, arguments: Any = None) -> int:
        message: dict = {"type": "request", "command": command}
        if arguments is not None:
            message["arguments"] = arguments
        return self._send_message(message)

    def reply(self, request: dict, **body: Any) -> None:
        """Answers a request of the server, such as startDebugging."""
        self._send_message({"type": "response", "request_seq": request["seq"], "command": request["command"],
                            "success": True, "body": body})

    # -- waiting ------------------------------------------------------------------------------
    def _wait(self, match: Callable[[dict], bool], what: str, timeout: float, start: int = 0) -> tuple[int, dict]:
        end = time.monotonic() + timeout
        with self.changed:
            at = start
            while True:
                while at < len(self.messages):
                    if match(self.messages[at]):
                        return at, self.messages[at]
                    at += 1
                if self.closed:
                    raise ConnectionError(f"connection closed while waiting for {what}; got {self.brief()}")
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"no {what} within {timeout} s; got {self.brief()}")
                self.changed.wait(left)

    def brief(self) -> str:
        return ", ".join(m.get("event") or f"{m.get('command')}:{m.get('success')}" for m in self.messages[-30:])

    def response(self, seq: int, timeout: float = DEADLINE) -> dict:
        _, message = self._wait(
            lambda m: m.get("type") == "response" and m.get("request_seq") == seq, f"response to {seq}", timeout
        )
        if not message.get("success"):
            raise DapError(message)
        return message.get("body") or {}

    def request(self, command: str, arguments: Any = None, timeout: float = DEADLINE) -> dict:
        return self.response(self.send(command, arguments), timeout)

    def _unconsumed(self, kind: str, name_field: str, name: str, timeout: float,
                    where: Optional[Callable[[dict], bool]]) -> dict:
        _, message = self._wait(
            lambda m: m.get("type") == kind and m.get(name_field) == name and id(m) not in self.consumed
            and (where is None or where(m.get("body") or {})),
            f"{kind} {name}", timeout,
        )
        self.consumed.add(id(message))
        return message

    def event(self, name: str, timeout: float = DEADLINE, where: Optional[Callable[[dict], bool]] = None) -> dict:
        """The first event of this name that no earlier call returned."""
        return self._unconsumed("event", "event", name, timeout, where).get("body") or {}

    def server_request(self, command: str, timeout: float = DEADLINE) -> dict:
        """The first request of the server with this command that no earlier call returned."""
        return self._unconsumed("request", "command", command, timeout, None)

    def events(self, name: str) -> list[dict]:
        with self.changed:
            return [m.get("body") or {} for m in self.messages if m.get("event") == name]

    def wait_closed(self, timeout: float = DEADLINE) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: self.closed, timeout):
                raise TimeoutError(f"the server did not hang up within {timeout} s; got {self.brief()}")

    # -- sessions -----------------------------------------------------------------------------
    def initialize(self, **more: Any) -> dict:
        return self.request(
            "initialize",
            {"clientID": self.client_id, "adapterID": "ray", "linesStartAt1": True, "columnsStartAt1": True,
             "pathFormat": "path", "supportsVariableType": True, **more},
        )

    def attach(self, arguments: Optional[dict] = None, breakpoints: Optional[dict] = None, filters: Optional[list] = None,
               timeout: float = DEADLINE, **traits: Any) -> dict:
        """initialize (with further `traits`) to attach response; `breakpoints` is {path: [line or SourceBreakpoint]}."""
        self.initialize(**traits)
        seq = self.send("attach", arguments)
        _, first = self._wait(
            lambda m: m.get("event") == "initialized" or (m.get("type") == "response" and m.get("request_seq") == seq),
            "event initialized or response to attach", timeout)
        if first["type"] == "response":
            self.response(seq)  # a refusal; debugpy and ray-dap send `initialized` before they accept
        for path, lines in (breakpoints or {}).items():
            self.set_breakpoints(path, lines)
        if filters is not None:
            self.request("setExceptionBreakpoints", {"filters": filters})
        self.request("configurationDone")
        return self.response(seq, timeout)

    def set_breakpoints(self, path: str, lines: list) -> list:
        wanted = [line if isinstance(line, dict) else {"line": line} for line in lines]
        return self.request("setBreakpoints", {"source": {"path": path}, "breakpoints": wanted})["breakpoints"]

    def stopped(self, timeout: float = DEADLINE, thread: Optional[int] = None) -> dict:
        return self.event("stopped", timeout, lambda body: thread is None or body.get("threadId") == thread)

    def stop(self, timeout: float = DEADLINE, thread: Optional[int] = None) -> Stop:
        """Waits for a `stopped` event and fetches the top frame of its thread."""
        event = self.stopped(timeout, thread)
        return Stop(self, event["threadId"], event["reason"], self.top(event["threadId"]))

    def frames(self, thread: int) -> list[dict]:
        return self.request("stackTrace", {"threadId": thread})["stackFrames"]

    def top(self, thread: int) -> dict:
        return self.frames(thread)[0]

    def locals(self, frame_id: int) -> dict[str, str]:
        return {v["name"]: v["value"] for v in self.variables(self.locals_reference(frame_id))}

    def locals_reference(self, frame_id: int) -> int:
        scopes = self.request("scopes", {"frameId": frame_id})["scopes"]
        return next(s for s in scopes if s["name"] == "Locals")["variablesReference"]

    def variables(self, reference: int) -> list[dict]:
        return self.request("variables", {"variablesReference": reference})["variables"]

    def evaluate(self, expression: str, frame_id: Optional[int] = None, context: str = "repl") -> str:
        arguments: dict = {"expression": expression, "context": context}
        if frame_id is not None:
            arguments["frameId"] = frame_id
        return self.request("evaluate", arguments)["result"]

    def resume(self, thread: int) -> None:
        self.request("continue", {"threadId": thread})

    def disconnect(self, **arguments: Any) -> None:
        try:
            self.request("disconnect", arguments)
        finally:
            self.close()

    def close(self) -> None:
        try:
            if self.sock is None:
                self._stdin.close()
                return
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if self.sock is not None:
            self.sock.close()
