"""A GitHub of one's own on 127.0.0.1: it keeps state, and breaks off, stalls or lies on demand.

Every request, and every answer that is no fault asked for, is held against GitHub's own OpenAPI
description (`tests/data/github`). A request that violates it is answered with 422 and kept in
`violations`, which the fixture `forge` demands empty when a test is over.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests.github_answers import Answer, State

TOKEN = "ghp_" + "T0kEn" * 8
_DESCRIPTION = Path(__file__).parent / "data" / "github" / "openapi.json"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Fault:
    """What goes wrong with the next `times` requests that match.

    Parameters
    ----------
    method, path: a method, or `*`; a regular expression for the whole path.
    skip: how many such requests are answered properly first.
    after: whether the request takes effect before it goes wrong.
    status, body, headers: the answer in the place of the proper one; bytes go out as they are.
    drop: the connection is reset and nothing is answered.
    delay: seconds before the answer.
    truncate: only the first half of the body is sent.
    drip: seconds between any two bytes of the body.
    """

    method: str
    path: str
    times: int = 1
    skip: int = 0
    after: bool = False
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    delay: float = 0.0
    truncate: bool = False
    drip: float = 0.0

    def takes(self, asked: Asked) -> bool:
        """Whether it is this request's turn to go wrong."""
        if self.method not in ("*", asked.method) or not re.fullmatch(self.path, asked.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


class ForgeServer:
    """The server, its state, and what it was asked."""

    def __init__(self, owner: str = "o", repo: str = "r") -> None:
        self.state = State(owner, repo)
        self.tokens = {TOKEN}
        self.asked: list[Asked] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Base of its API."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def table(self, **more: str) -> str:
        """The table of a cockpit.toml that leads here."""
        settings = {
            "kind": "github",
            "url": self.url,
            "repository": f"{self.state.owner}/{self.state.repo}",
            **more,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        return "\n".join(["[forge]", *lines, ""])

    def fail(self, method: str, path: str, **how: Any) -> Fault:
        """Let the next matching request go wrong; see `Fault`. `path` is below the repository."""
        prefix = re.escape(f"/repos/{self.state.owner}/{self.state.repo}")
        fault = Fault(method, path.removeprefix("=") if path[:1] == "=" else prefix + path, **how)
        self.faults.append(fault)
        return fault

    def count(self, method: str, path: str) -> int:
        """How many requests came for a path below the repository."""
        whole = re.escape(f"/repos/{self.state.owner}/{self.state.repo}") + path
        return sum(
            each.method == method and bool(re.fullmatch(whole, each.path)) for each in self.asked
        )

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and stalling."""
        self._over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, asked: Asked, raw: bytes) -> tuple[Answer | None, Fault | None]:
        """The answer, None for none at all, and the fault that shapes how it is sent."""
        with self._lock:
            self.asked.append(asked)
            fault = next((each for each in self.faults if each.takes(asked)), None)
            if fault and fault.after:
                self._proper(asked, raw)
                return _wrong(fault), fault
            if fault and (fault.drop or fault.status):
                return _wrong(fault), fault
            return self._proper(asked, raw), fault

    def _proper(self, asked: Asked, raw: bytes) -> Answer:
        secret = asked.headers.get("authorization", "").partition(" ")[2]
        if secret not in self.tokens:
            return Answer(
                401, {"message": "Bad credentials", "documentation_url": "", "status": "401"}
            )
        request = MockRequest(
            "http://127.0.0.1",
            asked.method,
            asked.path,
            args=dict(asked.query),
            data=raw or None,
            content_type=asked.headers.get("content-type", "application/json"),
        )
        try:
            _description().validate_request(request)
        except OpenAPIError as error:
            return self._violated(f"request {asked.method} {asked.path}", error)
        answer = self.state.answer(asked.method, unquote(asked.path), asked.query, asked.body)
        try:
            _description().validate_response(
                request, MockResponse(json.dumps(answer.data).encode(), answer.status)
            )
        except OpenAPIError as error:
            if not _is_undescribed(answer, error):
                return self._violated(f"answer to {asked.method} {asked.path}", error)
        return answer

    def _violated(self, what: str, error: BaseException) -> Answer:
        reasons, cause = [str(error)[:300]], error.__cause__
        while cause is not None:
            found = getattr(cause, "schema_errors", ())
            reasons += [f"{each.json_path}: {each.message}"[:300] for each in found]
            cause = cause.__cause__
        self.violations.append(f"{what}: {'; '.join(reasons)}")
        return Answer(422, {"message": self.violations[-1], "documentation_url": ""})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server, over = self, self._over

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

            def _any(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                parts = urlsplit(self.path)
                asked = Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
                answer, fault = server.answer(asked, raw)
                if fault and fault.delay:
                    over.wait(fault.delay)
                if answer is None:
                    self._reset()
                else:
                    self._send(answer, fault)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815

            def _reset(self) -> None:
                # Closed with a reset, as by a machine that went down.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()

            def _send(self, answer: Answer, fault: Fault | None) -> None:
                raw = (
                    answer.data
                    if isinstance(answer.data, bytes)
                    else json.dumps(answer.data).encode()
                )
                with contextlib.suppress(OSError):
                    self.send_response(answer.status)
                    headers = {
                        "Content-Type": "application/json; charset=utf-8",
                        "Content-Length": str(len(raw)),
                        **answer.headers,
                    }
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    if fault and fault.truncate:
                        self.wfile.write(raw[: len(raw) // 2])
                        self.close_connection = True
                    elif fault and fault.drip:
                        for byte in raw:
                            self.wfile.write(bytes([byte]))
                            if over.wait(fault.drip):
                                break
                    else:
                        self.wfile.write(raw)

            def date_time_string(self, timestamp: float | None = None) -> str:
                now = time.time() if timestamp is None else timestamp
                return formatdate(now + server.state.clock_offset_s, usegmt=True)

        return Handler


def _wrong(fault: Fault) -> Answer | None:
    if fault.drop:
        return None
    body = fault.body if fault.body is not None else {"message": "as you wished"}
    return Answer(fault.status or 200, body, dict(fault.headers))


def _is_undescribed(answer: Answer, error: OpenAPIError) -> bool:
    """Whether it is a refusal that the description merely leaves out, in GitHub's usual form."""
    plain = isinstance(answer.data, dict) and "message" in answer.data
    return type(error).__name__ == "ResponseNotFound" and answer.status >= 400 and plain


@functools.cache
def _description() -> OpenAPI:
    return OpenAPI.from_dict(json.loads(_DESCRIPTION.read_bytes()))


@contextlib.contextmanager
def running(owner: str = "o", repo: str = "r") -> Iterator[ForgeServer]:
    """A server that listens, and must not have seen or made a violation in the end."""
    server = ForgeServer(owner, repo)
    server.start()
    try:
        yield server
    finally:
        server.stop()
    assert server.violations == []
