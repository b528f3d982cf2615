"""On which days what may be promoted: rules over days, without a clock of their own.

A clock can be set back, by accident or to get past a closed day. What git and the last session's
record are dated with is therefore looked at too: where the clock is behind them, a promotion must
be allowed on both days, so that a wrong clock never opens what a right one keeps closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from pytest_cockpit.config import Calendar
from pytest_cockpit.records import days

SKEW = timedelta(minutes=1)
"""Clocks of two machines differ by this much without anybody having set one back."""

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Seen:
    """A moment that something was already dated with; `what` says what it was."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Why nothing may be promoted: the setting below `calendar`, and the reason in words."""

    key: str
    because: str


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is; `last` is the newest moment that is already on record."""

    now: datetime
    last: Seen | None = None

    @classmethod
    def read(cls, *seen: Seen | None) -> Clock:
        """The system's clock, beside what is on record."""
        known = [one for one in seen if one is not None]
        return cls(datetime.now(UTC), max(known, key=lambda one: one.at, default=None))

    @property
    def backwards(self) -> bool:
        """Whether the clock is behind what is on record."""
        return self.last is not None and self.last.at - self.now > SKEW

    def told(self) -> str:
        """What is wrong with the clock, in one line; empty where nothing is."""
        if self.last is None or not self.backwards:
            return ""
        return (
            f"the clock goes backwards: it says {_minute(self.now)}, and {self.last.what} is dated "
            f"{_minute(self.last.at)}"
        )

    def days(self, calendar: Calendar) -> tuple[date, ...]:
        """The days that a promotion has to be allowed on, in the calendar's time zone."""
        # A zone that is not known is refused where the configuration is read.
        zone = days.zone(calendar.timezone) or UTC
        moments = [self.now]
        if self.last is not None and self.last.at > self.now:
            moments.append(self.last.at)
        return tuple(dict.fromkeys(_day(moment, zone) for moment in moments))


def closed(calendar: Calendar, day: date, *, burst: bool) -> Closed | None:
    """Why nothing is promoted on this day without a reason given; None where it may be."""
    return next(_reasons(calendar, day, burst=burst), None)


def named(day: date) -> str:
    """A day as people call it."""
    return f"{_NAMES[day.weekday()]} {day.isoformat()}"


def _reasons(calendar: Calendar, day: date, *, burst: bool) -> Iterator[Closed]:
    weekday = days.WEEKDAYS[day.weekday()]
    if day.isoformat() in calendar.holidays:
        yield Closed("holidays", f"{named(day)} is a holiday")
    if weekday in calendar.stabilisation:
        yield Closed("stabilisation", f"{named(day)} is kept for stabilisation")
    if burst and calendar.burst and weekday not in calendar.burst:
        yield Closed("burst", f"{named(day)} is no day of bursts ({', '.join(calendar.burst)})")


def _day(moment: datetime, zone: tzinfo) -> date:
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        # The last day that there is, in a zone that is ahead.
        return moment.date()


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
