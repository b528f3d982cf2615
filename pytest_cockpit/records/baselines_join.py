"""Baselines that meet: the least one at least as tight as both, by what their gate says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records import baselines, text
from pytest_cockpit.records.baselines import Baseline

Join = Callable[[JSON, JSON], JSON]
"""A gate's own `join` on `{"entries": …, "meta": …}`; a semilattice."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a baseline and another one do not share, as keys of entries or `meta: key`.

    Parameters
    ----------
    slack: where the first is not as tight as the two joined.
    loose: where the second is not as tight as the two joined.
    """

    slack: tuple[str, ...]
    loose: tuple[str, ...]


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

    Raises
    ------
    CockpitError: as for `joined`.
    """
    if base is not None:
        _demand_same(base, mine)
    known = base.entries if base else {}
    return joined(
        _less(mine, known.keys() - theirs.entries.keys()),
        _less(theirs, known.keys() - mine.entries.keys()),
        join,
    )


def difference(
    stored: Baseline, measured: Baseline, result: Baseline, bounds: Iterable[str] = ()
) -> Difference:
    """Where a stored baseline and a measured one differ from the two joined.

    Parameters
    ----------
    bounds: keys of `meta` that are bounds like the entries; the others only describe.
    """
    slack = _changed(stored.entries, result.entries)
    loose = [key for key, value in measured.entries.items() if result.entries.get(key) != value]
    return Difference(
        (*slack, *_meta(stored, result, bounds)), (*sorted(loose), *_meta(measured, result, bounds))
    )


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
    result = Baseline(mine.gate, made["entries"], made["meta"])
    # There and back, so that what is compared is what will be read.
    return baselines.parse(baselines.dump(result), where)


def _document(baseline: Baseline) -> dict[str, Any]:
    return {"entries": dict(baseline.entries), "meta": dict(baseline.meta)}


def _less(baseline: Baseline, gone: Iterable[str]) -> Baseline:
    names = set(gone)
    kept = {key: value for key, value in baseline.entries.items() if key not in names}
    return replace(baseline, entries=kept)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def _meta(side: Baseline, result: Baseline, bounds: Iterable[str]) -> list[str]:
    return [f"meta: {key}" for key in sorted(bounds) if side.meta.get(key) != result.meta.get(key)]
