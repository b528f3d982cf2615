"""What goes over the wire to any forge: no token astray, no endless answer, no foreign words.

The hooks here see each answer before a client library does, so that what an answer means is said
in one place for all forges.
"""

from __future__ import annotations

import json
import math
import ssl
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from pytest_cockpit.forge.addresses import Endpoint, is_loopback
from pytest_cockpit.forge.api import ForgeError
from pytest_cockpit.forge.patience import Trouble
from pytest_cockpit.forge.tokens import Token
from pytest_cockpit.records.text import one_line, printable

TIMEOUT = httpx.Timeout(20.0, connect=10.0)
WHOLE_ANSWER_S = 60.0
MOST_BYTES = 32 << 20

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_SLOW = (408, 425, _TOO_MANY)
_SERVER = 500
_UNPROCESSABLE = 422
# A forge may be a moment behind its own repository.
_NOT_YET = "no commit found"
_SAID = 300
# A method that such an answer turns into GET would seem to have worked.
_KEEPS_METHOD = (307, 308)
_SAFE = ("GET", "HEAD")


class Unknown(ForgeError):
    """The forge does not know the token, or not any more."""


class Denied(ForgeError):
    """The token may not do this, or not see it."""


class Missing(ForgeError):
    """It is not there, or the token may not know that it is."""


class Refused(ForgeError):
    """The forge understood and said no; `said` are its own words."""

    def __init__(self, text: str, said: str) -> None:
        super().__init__(text)
        self.said = said


class Auth(httpx.Auth):
    """Puts the token into the header at the last moment, and into nothing that is ever shown."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add the one header."""
        secret = self._token.reveal()
        if self._token.is_job:
            request.headers["JOB-TOKEN"] = secret
        else:
            request.headers["Authorization"] = f"Bearer {secret}"
        yield request


class _Bounded(httpx.SyncByteStream):
    """An answer's bytes for as long, and as far, as an honest answer takes."""

    def __init__(self, stream: httpx.SyncByteStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > MOST_BYTES:
                raise Trouble(f"the answer is larger than {MOST_BYTES >> 20} MiB")
            if time.monotonic() > self._deadline:
                raise Trouble("the answer takes too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()


@dataclass(frozen=True, slots=True)
class Wire:
    """The watch over every answer of one forge."""

    endpoint: Endpoint
    token: Token

    @property
    def trust_env(self) -> bool:
        """Whether proxies of the environment are used; never on the way to this machine."""
        return not is_loopback(urlsplit(self.endpoint.api).hostname or "")

    @staticmethod
    def on_request(request: httpx.Request) -> None:
        """Ask for plain bytes: what is packed may be any size when it is unpacked."""
        request.headers["Accept-Encoding"] = "identity"

    def on_response(self, response: httpx.Response) -> None:
        """Bound what is read of an answer, and say what an answer means that is no success."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Trouble("the answer is packed, which was not asked for")
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Bounded(response.stream, time.monotonic() + WHOLE_ANSWER_S)
        if response.has_redirect_location:
            self._demand_same_place(response)
        elif not response.is_success:
            response.read()
            raise self.meaning(response)

    def _demand_same_place(self, response: httpx.Response) -> None:
        there = response.headers["location"]
        request = response.request
        try:
            target = request.url.join(there)
        except (httpx.InvalidURL, ValueError):
            raise self._error(request, "leads to an address that is none") from None
        here = httpx.URL(self.endpoint.api)
        if (target.scheme, target.host, target.port) != (here.scheme, here.host, here.port):
            raise self._error(
                request,
                f"leads to another host, {self.shown(target.host)}, where the token is not sent; "
                "correct the remote, or tool.cockpit.forge.url",
            )
        if request.method not in _SAFE and response.status_code not in _KEEPS_METHOD:
            raise self._error(
                request,
                "was renamed or moved; correct the remote, or tool.cockpit.forge.repository",
            )

    def meaning(self, response: httpx.Response) -> Exception:
        """What an answer means that is no success: trouble that may be over soon, or an error."""
        status, request, said = response.status_code, response.request, self._said(response)
        words = f"{status} {said}".strip()
        behind = status == _UNPROCESSABLE and _NOT_YET in said.lower()
        if status in _SLOW or status >= _SERVER or behind or _is_limit(response, said):
            return Trouble(words, _after(response))
        if status == _UNAUTHORIZED:
            return Unknown(
                f"{self.endpoint.name}: the token of {self.token.source} is not accepted ({words}):"
                " it is expired, revoked or mistyped; make a new one and run the same command again"
            )
        if status == _FORBIDDEN:
            return Denied(str(self._error(request, f"the token may not ({words})")))
        if status == _NOT_FOUND:
            return Missing(
                str(
                    self._error(
                        request,
                        f"there is no such thing ({words}), or the token of {self.token.source} "
                        "may not see it",
                    )
                )
            )
        return Refused(str(self._error(request, words)), said)

    def _error(self, request: httpx.Request, words: str) -> ForgeError:
        asked = f"{request.method} {self.shown(request.url.path)}"
        return ForgeError(f"{self.endpoint.name}: {asked}: {words}")

    def shown(self, text: str) -> str:
        """`text` as one printable line without the token, however often it was echoed."""
        line = self.token.masked(one_line(printable(text)))
        return line if len(line) <= _SAID else line[: _SAID - 1] + "…"

    def _said(self, response: httpx.Response) -> str:
        """The forge's own words."""
        try:
            data = json.loads(response.content)
        except (ValueError, RecursionError):
            return ""
        if not isinstance(data, dict):
            return ""
        parts = list(_words(data.get("message") or data.get("error")))
        parts += [part for part in _words(data.get("errors")) if part not in parts]
        return self.shown("; ".join(parts))

    def failed(self, error: Exception) -> Exception:
        """What an exception of a client library means."""
        seen: BaseException | None = error
        while seen is not None:
            if isinstance(seen, Trouble | ForgeError):
                return seen
            if isinstance(seen, httpx.TransportError):
                return Trouble(self._transport(seen))
            seen = seen.__cause__ or seen.__context__
        return ForgeError(
            f"{self.endpoint.name}: gave an answer that cannot be read: "
            f"{self.shown(str(error) or type(error).__name__)}"
        )

    def _transport(self, error: httpx.TransportError) -> str:
        if isinstance(error, httpx.TimeoutException):
            return "no answer in time"
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        kind = "no trusted connection" if cause is not None else "the connection failed"
        return f"{kind}: {self.shown(str(error) or type(error).__name__)}"


def _words(value: Any) -> Iterator[str]:
    """Every text in what a forge says of an error, GitHub's and GitLab's shapes alike."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value[:5]:
            yield from _words(item)
    elif isinstance(value, dict):
        if isinstance(value.get("message"), str):
            yield value["message"]
        elif isinstance(value.get("code"), str):
            yield " ".join(str(value[key]) for key in ("resource", "field", "code") if key in value)
        else:
            for key in list(value)[:5]:
                for word in _words(value[key]):
                    yield f"{key}: {word}"


def _is_limit(response: httpx.Response, said: str) -> bool:
    if response.status_code != _FORBIDDEN:
        return False
    headers = response.headers
    spent = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining")) == "0"
    return spent or "retry-after" in headers or "secondary rate limit" in said.lower()


def _after(response: httpx.Response) -> float | None:
    """How long the forge asks to wait.

    A moment that it names is held against its own clock, so that one of ours that is wrong does
    no harm.
    """
    headers = response.headers
    pause, then = _number(headers.get("retry-after")), _date(headers.get("retry-after"))
    if pause is not None:
        return pause
    if headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining")) == "0":
        then = then or _number(headers.get("x-ratelimit-reset", headers.get("ratelimit-reset")))
    now = _date(headers.get("date"))
    return None if then is None or now is None else max(then - now, 1.0)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _date(text: str | None) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
