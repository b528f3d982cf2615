"""Baselines that meet: the least one at least as tight as both, by what their gate says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records import baselines, text
from pytest_cockpit.records.baselines import Baseline

_SHOWN = 60

Join = Callable[[JSON, JSON], JSON]
"""A gate's own `join` on `{"entries": …, "meta": …}`; a semilattice."""


Bounds = Callable[[JSON], Mapping[str, Any]]
"""A gate's own `bounds` on such a document: what binds, by name; an entry's under its key."""


@dataclass(frozen=True, slots=True)
class Change:
    """One bound before and after; None where there is none."""

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if not (isinstance(self.before, Mapping) and isinstance(self.after, Mapping)):
            return text.one_line(f"{self.name}: {_shown(self.before)} → {_shown(self.after)}")
        parts = [
            f"{key} {_shown(self.before.get(key))} → {_shown(self.after.get(key))}"
            for key in sorted({*self.before, *self.after})
            if self.before.get(key) != self.after.get(key)
        ]
        return text.one_line(f"{self.name}: {', '.join(parts)}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A stored baseline beside what was measured.

    Parameters
    ----------
    result: the least baseline at least as tight as both.
    slack: bounds of the stored one that can be tightened to those of the result.
    loose: bounds that measure looser than the result's: before is what binds, after what is.
    """

    result: Baseline
    slack: tuple[Change, ...]
    loose: tuple[Change, ...]


def compare(stored: Baseline, measured: Baseline, join: Join, bounds: Bounds) -> Comparison:
    """Both joined, and where either is not as tight as that.

    Raises
    ------
    CockpitError: as for `joined`.
    """
    least = joined(stored, measured, join)
    before, now, after = (dict(bounds(_document(each))) for each in (stored, measured, least))
    slack = _changes(before, after, {*before, *after})
    loose = _changes(after, now, now)
    # What describes a bound is taken from where the bound is: of the newest measurement, if that
    # is as tight, or as it stood.
    entries = dict(least.entries)
    for side, binding in ((stored, before), (measured, now)):
        for key in side.entries.keys() & entries.keys() & after.keys():
            if binding.get(key) == after[key]:
                entries[key] = side.entries[key]
    result = replace(least, entries=entries)
    if dict(bounds(_document(result))) != after:
        result = least
    return Comparison(result, slack, loose)


def entries_of(document: JSON) -> Mapping[str, Any]:
    """The bounds of a gate that does not say what binds: all of its entries."""
    found: Mapping[str, Any] = document["entries"]
    return found


def joined(mine: Baseline, theirs: Baseline, join: Join) -> Baseline:
    """The least baseline at least as tight as both.

    Raises
    ------
    CockpitError: the two are of different gates, or `join` gives something else than that.
    """
    _demand_same(mine, theirs)
    result = _join(mine, theirs, join)
    for side in (mine, theirs):
        # What a gate's own mistake could do is to loosen a bound, so nothing is taken on trust.
        again = _join(result, side, join)
        if again.entries != result.entries:
            raise CockpitError(
                f"{mine.gate}: its join of two baselines is looser than one of them; report this "
                "to the gate's author and mend the file by hand"
            )
    return result


def merged(base: Baseline | None, mine: Baseline, theirs: Baseline, join: Join) -> Baseline:
    """The three-way merge: what either side deleted is gone, the rest is joined.

    A bound that one side has under another key follows it there with what the other side made of
    it.

    Raises
    ------
    CockpitError: as for `joined`.
    """
    if base is not None:
        _demand_same(base, mine)
    known = base.entries if base else {}
    mine, theirs = _following(base, mine, theirs), _following(base, theirs, mine)
    return joined(
        _less(mine, known.keys() - theirs.entries.keys()),
        _less(theirs, known.keys() - mine.entries.keys()),
        join,
    )


def _following(base: Baseline | None, side: Baseline, other: Baseline) -> Baseline:
    """`side` with its bounds under the keys that `other` has moved them to as well."""
    if base is None:
        return side
    moved = {
        new: side.entries[old]
        for old, new in _moved(base, other).items()
        if old in side.entries and new not in side.entries
    }
    return replace(side, entries={**side.entries, **moved})


def _moved(base: Baseline, side: Baseline) -> dict[str, str]:
    """New key, by old one, of the entries that `side` has under another key and left alone.

    Where it could be one or another, it is none: a bound of another file may be one that nobody
    can meet.
    """
    gone = base.entries.keys() - side.entries.keys()
    come = side.entries.keys() - base.entries.keys()
    found: dict[str, str] = {}
    for named in (False, True):
        olds = _distinct(base.entries, gone, named=named)
        news = _distinct(side.entries, come, named=named)
        # A file that kept its name is the likelier one.
        found |= {olds[mark]: news[mark] for mark in olds.keys() & news.keys()}
    return found


def _distinct(
    entries: Mapping[str, Any], keys: Iterable[str], *, named: bool
) -> dict[tuple[str, bytes], str]:
    """Those of the keys whose entry, with the file's name if `named`, no other has."""
    alike = defaultdict(list)
    for key in keys:
        name = key.rpartition("/")[2] if named else ""
        alike[name, text.canonical_line(entries[key])].append(key)
    return {mark: found[0] for mark, found in alike.items() if len(found) == 1}


def _demand_same(one: Baseline, other: Baseline) -> None:
    if one.gate != other.gate:
        raise CockpitError(f"baselines of {one.gate} and of {other.gate}; keep those of one gate")


def _join(mine: Baseline, theirs: Baseline, join: Join) -> Baseline:
    where = f"{mine.gate}: join"
    try:
        made: Any = join(_document(mine), _document(theirs))
    except CockpitError:
        raise
    except Exception as error:
        reason = text.one_line(f"{type(error).__name__}: {error}")
        raise CockpitError(f"{where} failed ({reason}); mend the file by hand") from error
    if not isinstance(made, Mapping) or set(made) != {"entries", "meta"}:
        raise CockpitError(f"{where}: expected entries and meta; report this to the gate's author")
    try:
        data = baselines.dump(Baseline(mine.gate, made["entries"], made["meta"]))
    except CockpitError as error:
        raise CockpitError(f"{where}: {error}") from error
    # There and back, so that what is compared is what will be read.
    return baselines.parse(data, where)


def _document(baseline: Baseline) -> dict[str, Any]:
    return {"entries": dict(baseline.entries), "meta": dict(baseline.meta)}


def _less(baseline: Baseline, gone: Iterable[str]) -> Baseline:
    names = set(gone)
    kept = {key: value for key, value in baseline.entries.items() if key not in names}
    return replace(baseline, entries=kept)


def _changes(
    old: Mapping[str, Any], new: Mapping[str, Any], names: Iterable[str]
) -> tuple[Change, ...]:
    return tuple(
        Change(name, old.get(name), new.get(name))
        for name in sorted(names)
        if old.get(name) != new.get(name)
    )


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    written = text.canonical_line(value).decode().strip()
    return written if len(written) <= _SHOWN else f"{written[:_SHOWN]}…"
