"""Trying again: how often, how long, and never blindly."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pytest_cockpit.forge.api import ForgeError

TOTAL_WAIT_S = 120.0
"""The longest that one session waits for a forge, all its pauses together."""

ATTEMPTS = 5
"""How often one thing is tried."""

FIRST_PAUSE_S = 0.5
"""The first pause, doubled from try to try; how much of each is waited is left to chance."""

_TOLD_S = 2.0

T = TypeVar("T")


class Trouble(Exception):
    """Something that may be over soon; `after` is what the forge said about when, in seconds."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


@dataclass(slots=True)
class Patience:
    """One session's patience with one forge.

    Parameters
    ----------
    say: is told of every longer pause.
    left_s: how much of it is left.
    sleep, chance: the clock's and the dice's part, to be replaced in tests.
    """

    say: Callable[[str], None] | None = None
    left_s: float = TOTAL_WAIT_S
    first_s: float = FIRST_PAUSE_S
    sleep: Callable[[float], None] = time.sleep
    # Spreads the tries of many machines; it guards nothing.
    chance: Callable[[], float] = field(default=random.random)

    def ask(
        self, what: str, call: Callable[[], T], look: Callable[[], T | None] | None = None
    ) -> T:
        """What `call` gives, tried again after trouble.

        Parameters
        ----------
        what: what is asked, for messages.
        look: for calls that must not be repeated once they took effect: gives what an earlier try
            brought about, or None. Asked before every further try.

        Raises
        ------
        ForgeError: it was tried often, or waited for, enough.
        """
        attempt = 1
        while True:
            try:
                return call()
            except Trouble as trouble:
                self._pause(what, attempt, trouble)
            attempt += 1
            found = self.ask(what, look) if look else None
            if found is not None:
                return found

    def _pause(self, what: str, attempt: int, trouble: Trouble) -> None:
        said = f"{what}: {trouble.reason}"
        if attempt >= ATTEMPTS:
            raise ForgeError(f"{said}; tried {attempt} times; run the same command again later")
        pause = trouble.after
        if pause is None:
            pause = self.first_s * 2 ** (attempt - 1) * (0.5 + self.chance() / 2)
        if pause > self.left_s:
            raise ForgeError(
                f"{said}; it would take {pause:.0f} s more, and a session waits "
                f"{TOTAL_WAIT_S:.0f} s at most; run the same command again later"
            )
        self.left_s -= pause
        if self.say and pause >= _TOLD_S:
            self.say(f"{said}; trying again in {pause:.0f} s")
        self.sleep(pause)
