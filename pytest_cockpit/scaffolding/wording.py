"""What is said of modules that lack something or drifted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pytest_cockpit.api import Verdict
from pytest_cockpit.records.text import count, one_line, printable
from pytest_cockpit.scaffolding.drift import File, Standing, State
from pytest_cockpit.scaffolding.facts import NAMELESS

_NAMED = 5
_MODULES = 20
_DRIFTED = (State.OUTDATED, State.DIVERGED, State.EDITED)


def summary(figures: Mapping[str, int], *, given: bool = False) -> str:
    """All modules in one line."""
    parts = [] if given else [f"{figures[State.LACKING]:,} lacking"]
    parts += [
        f"{figures[state]:,} {state.value}"
        for state in (State.BLOCKED, *_DRIFTED)
        if figures[state]
    ]
    told = count(figures["modules"], "module")
    return f"{told}; {', '.join(parts) or 'nothing drifted'}"


def told(standing: Standing) -> str:
    """One module in one line."""
    parts = [
        f"{word} {_named(standing, files)}"
        for word, files in (
            ("lacks", standing.of(State.LACKING)),
            ("cannot be given", standing.of(State.BLOCKED)),
            ("outdated:", standing.of(State.OUTDATED)),
            ("edited, and the template moved on:", standing.of(State.DIVERGED)),
            ("edited:", standing.of(State.EDITED)),
        )
        if files
    ]
    return "; ".join(parts) or "lacks nothing"


def text(standing: Standing) -> str:
    """One module with what to do, and what drifted as a difference."""
    lines = [told(standing)]
    lines += _in_the_way(standing)
    for file in standing.of(State.OUTDATED, State.DIVERGED):
        lines += [
            f"  {one_line(printable(file.path))}:",
            *(f"    {line}" for line in file.said.split("\n")),
        ]
    if standing.of(State.LACKING):
        lines.append("  write what lacks with: pytest --cockpit-scaffold=apply")
    if standing.of(State.OUTDATED):
        lines.append("  delete what is outdated and apply again, to have it written anew")
    if standing.of(State.DIVERGED):
        lines.append("  what you edited is yours for good without its line `cockpit: scaffold`")
    return "\n".join(lines)


def lines(standings: Iterable[Standing], *, applied: bool) -> Iterator[str]:
    """The modules that are worth a look; those that were given what they lacked are not."""
    worth = [each for each in standings if _worth(each, applied)]
    for standing in worth[:_MODULES]:
        yield f"{one_line(printable(standing.module.path))}: {told(standing)}"
        if applied:
            yield from _in_the_way(standing)
    if len(worth) > _MODULES:
        yield f"… and {len(worth) - _MODULES:,} more, in scaffold.json"


def untested(standings: Iterable[Standing]) -> str:
    """More of the summary: modules without a test as no import can name them; empty for none."""
    nameless = [
        each.module.path
        for each in standings
        if each.left_out
        and all(reason == NAMELESS for _, reason in each.left_out)
        and not any(file.path.endswith(".py") for file in each.files)
    ]
    if not nameless:
        return ""
    more = f" and {len(nameless) - _NAMED:,} more" if len(nameless) > _NAMED else ""
    named = one_line(printable(", ".join(nameless[:_NAMED])))
    return f"; no import can name the files of {named}{more}, so no tests are given there"


def _in_the_way(standing: Standing) -> list[str]:
    blocked = standing.of(State.BLOCKED)
    return [f"  {file.said}: move it away, or exclude the module" for file in blocked]


def _worth(standing: Standing, applied: bool) -> bool:
    if applied:
        return bool(standing.of(State.BLOCKED, State.OUTDATED, State.DIVERGED))
    return standing.verdict is not Verdict.PASS


def _named(standing: Standing, files: tuple[File, ...]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    inner = (printable(standing.module.inner(file.path)) for file in files[:_NAMED])
    return ", ".join(inner) + more
