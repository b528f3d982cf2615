"""Asking a forge, whichever it is: with patience, page by page, and with suspicion."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import httpx

from pytest_cockpit.forge import reading
from pytest_cockpit.forge.api import ForgeError
from pytest_cockpit.forge.patience import Patience, Trouble
from pytest_cockpit.forge.wire import Wire

PAGE = 100
_PAGES = 100

T = TypeVar("T")


class Answer(Protocol):
    """An answer as a client library gives it, httpx's own excepted."""

    @property
    def raw_response(self) -> httpx.Response:
        """What came over the wire."""


class Asker:
    """One repository on one forge."""

    def __init__(self, wire: Wire, patience: Patience) -> None:
        self.wire = wire
        self.patience = patience
        self.endpoint = wire.endpoint

    @property
    def name(self) -> str:
        """How to call it, to people."""
        return self.endpoint.name

    def ask(
        self,
        what: str,
        call: Callable[[], Answer | httpx.Response],
        read: Callable[[Any], T],
        look: Callable[[], T | None] | None = None,
    ) -> T:
        """What `read` finds in the answer to `call`; `look` as in `Patience.ask`.

        Raises
        ------
        ForgeError: it was refused, or could not be had for too long.
        """

        def once() -> T:
            answer = self._asked(call)
            try:
                return read(reading.parsed(answer.content))
            except reading.Unreadable as error:
                # It took effect or not: both are found out by looking, or by asking again.
                raise Trouble(str(error)) from None

        return self.patience.ask(f"{self.name}: {what}", once, look)

    def _asked(self, call: Callable[[], Answer | httpx.Response]) -> httpx.Response:
        try:
            answer = call()
        except Exception as error:  # noqa: BLE001 - a client library's own, whichever they are
            raise self.wire.failed(error) from None
        return answer if isinstance(answer, httpx.Response) else answer.raw_response

    def rows(
        self,
        what: str,
        call: Callable[[int], Answer | httpx.Response],
        key: str | None = None,
    ) -> list[dict[str, Any]]:
        """All rows of a list, page by page; below `key` where the answer is an object."""
        found: list[dict[str, Any]] = []
        for page in range(1, _PAGES + 1):
            rows = self.ask(
                what,
                functools.partial(call, page),
                lambda data: reading.rows(
                    reading.table(data, what).get(key) if key else data, what
                ),
            )
            found += rows
            if len(rows) < PAGE:
                return found
        raise ForgeError(f"{self.name}: {what}: more than {_PAGES * PAGE} of them")
