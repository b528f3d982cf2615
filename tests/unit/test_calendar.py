from __future__ import annotations

import json
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_cockpit import config
from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Calendar
from pytest_cockpit.promotion.calendar import SKEW, Clock, Seen, closed, named
from pytest_cockpit.records import days
from pytest_cockpit.sessions import cadence

FRIDAY = date(2026, 11, 27)
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_fridays_are_kept_unless_it_is_said_otherwise():
    week = [FRIDAY + timedelta(days=shift) for shift in range(7)]
    assert [closed(Calendar(), day, burst=False) is None for day in week] == [False] + 6 * [True]
    found = closed(Calendar(), FRIDAY, burst=False)
    assert found is not None
    assert found.key == "stabilisation"
    assert found.because == "Friday 2026-11-27 is kept for stabilisation"


@pytest.mark.parametrize(
    "calendar, burst, key",
    [
        (Calendar(stabilisation=()), False, None),
        (Calendar(stabilisation=()), True, None),
        (Calendar(stabilisation=(), burst=("sat", "sun")), False, None),
        (Calendar(stabilisation=(), burst=("sat", "sun")), True, "burst"),
        (Calendar(stabilisation=(), burst=("fri",)), True, None),
        (Calendar(burst=("fri",)), True, "stabilisation"),
        (Calendar(holidays=("2026-11-27",)), False, "holidays"),
        (Calendar(stabilisation=(), holidays=("2026-11-28",)), True, None),
    ],
)
def test_what_closes_a_friday(calendar, burst, key):
    found = closed(calendar, FRIDAY, burst=burst)
    assert (found and found.key) == key


def test_a_day_begins_in_the_calendars_time_zone():
    late = Clock(datetime(2026, 11, 26, 23, 30, tzinfo=UTC))
    assert late.days(Calendar()) == (date(2026, 11, 26),)
    assert late.days(Calendar(timezone="Europe/Berlin")) == (FRIDAY,)
    assert late.days(Calendar(timezone="America/New_York")) == (date(2026, 11, 26),)


def test_a_clock_behind_what_is_on_record_is_told_and_counts_for_both_days():
    clock = Clock(NOON, Seen(NOON + timedelta(days=2), "commit 0123"))
    assert clock.backwards
    assert clock.told() == (
        "the clock goes backwards: it says 2026-11-26 12:00 UTC, and commit 0123 is dated "
        "2026-11-28 12:00 UTC"
    )
    assert clock.days(Calendar()) == (date(2026, 11, 26), date(2026, 11, 28))


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
def test_the_last_day_that_there_is_breaks_nothing(zone):
    clock = Clock(NOON, Seen(datetime.max.replace(tzinfo=UTC), "commit 0123"))
    assert len(clock.days(Calendar(timezone=zone))) == 2
    assert "9999-12-31" in clock.told()


@pytest.mark.parametrize("shift", [-SKEW, timedelta(0), SKEW])
def test_clocks_that_hardly_differ_are_not_told_of(shift):
    clock = Clock(NOON, Seen(NOON + shift, "commit 0123"))
    assert not clock.backwards
    assert clock.told() == ""


@given(st.timedeltas(timedelta(days=-30), timedelta(days=30)), st.sampled_from(days.WEEKDAYS))
def test_no_record_makes_a_rule_laxer(shift, weekday):
    calendar = Calendar(stabilisation=(weekday,))

    def refused(clock):
        return any(closed(calendar, day, burst=False) for day in clock.days(calendar))

    alone, recorded = Clock(NOON), Clock(NOON, Seen(NOON + shift, "it"))
    assert refused(recorded) >= refused(alone)


def test_days_are_called_by_their_name():
    assert named(FRIDAY) == "Friday 2026-11-27"


@given(st.text(max_size=40))
def test_no_name_of_a_zone_or_day_breaks_anything(name):
    days.zone(name)
    days.day(name)


@pytest.mark.parametrize(
    "name", ["", "..", "/etc/passwd", "../../etc/passwd", "Europe", "\0", "x" * 999]
)
def test_what_is_no_zone_is_none(name):
    assert days.zone(name) is None


@pytest.mark.parametrize(
    "line, key",
    [
        ('timezone = "Europe/Atlantis"', "calendar.timezone"),
        ('holidays = ["2026-02-30"]', "calendar.holidays[0]"),
        ('holidays = ["0000-01-01"]', "calendar.holidays[0]"),
        ('stabilisation = ["Fri"]', "calendar.stabilisation[0]"),
        ('burst = ["sat", "sat"]', "calendar.burst"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused_with_its_key(tmp_path: Path, line, key):
    (tmp_path / "cockpit.toml").write_text(f"[calendar]\n{line}\n")
    with pytest.raises(CockpitError, match=r"cockpit\.toml: ") as raised:
        config.load(tmp_path)
    assert key in str(raised.value)


def test_a_leap_day_is_one(tmp_path: Path):
    (tmp_path / "cockpit.toml").write_text('[calendar]\nholidays = ["2028-02-29"]\n')
    assert config.load(tmp_path).calendar.holidays == ("2028-02-29",)


ROWS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b'{"at":"2026-11-27T10:00:00Z"}\n', b'{"at":"', b'"}\n', b"\n", b'{"at":3}\n']
        ),
        st.dictionaries(
            st.sampled_from(["at", "kind"]), st.text(max_size=30) | st.integers() | st.none()
        ).map(lambda row: json.dumps(row).encode() + b"\n"),
    ),
    max_size=6,
)


@given(ROWS)
@example([b'{"at":"9999-12-31T23:59:59-14:00"}\n'])
@example([b'{"at":"2026-11-27"}\n'])
def test_no_content_of_the_sessions_ledger_breaks_the_clock(pieces):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, cadence.SESSIONS).write_bytes(b"".join(pieces))
        seen = cadence._recorded(Path(folder))
    clock = Clock.read(seen)
    assert clock.days(Calendar())
    assert bool(clock.told()) == clock.backwards


def test_the_newest_row_counts_however_long_the_file(tmp_path: Path):
    rows = [f'{{"at":"2026-01-01T00:00:{number % 60:02}Z"}}\n' for number in range(9000)]
    (tmp_path / cadence.SESSIONS).write_text("".join([*rows, '{"at":"2026-11-27T10:00:00Z"}\n']))
    seen = cadence._recorded(tmp_path)
    assert seen is not None
    assert seen.at == datetime(2026, 11, 27, 10, tzinfo=UTC)
