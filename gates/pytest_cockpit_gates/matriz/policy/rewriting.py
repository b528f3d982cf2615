"""Change a module's text where it is evaluated, without moving a line.

**Clock.** `time.now_ns()` becomes a value of the base document that the gate fixes, so that a
verdict does not depend on the day, and `with time.now_ns as …` replaces that value instead.

**Input of unit tests.** regopy 1.x ends with a signal where `with input as …`
replaces the input of a rule that calls a function or compares. In a copy for unit tests the input
is a value of the base document, which can be replaced. A rule that is named as the new value is
put through an array, `[rule][0]`; named alone it is not evaluated.

**Tracing.** A `print` of a number is put behind the last condition of every body, and so tells
that all of the body held. The decisions themselves are taken from the policy as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_cockpit_gates.matriz.policy.syntax import Body, Clause, Module
from pytest_cockpit_gates.matriz.policy.terms import references
from pytest_cockpit_gates.matriz.policy.tokens import Token

CLOCK = "cockpit_clock"
INPUT = "cockpit_input"
_NOW = f"data.{CLOCK}.now"
_ASKED = ("time", ".", "now_ns")

Change = tuple[int, int, str]
"""Where a change begins and ends, and what stands there afterwards."""


def clock_uses(words: Sequence[Token]) -> Iterator[int]:
    """Indexes at which the time is asked for or replaced."""
    for index in range(len(words) - 2):
        if tuple(word.text for word in words[index : index + 3]) == _ASKED:
            before = words[index - 1] if index else None
            if before is None or not before.is_("."):
                yield index


def prepared(
    modules: Iterable[Module],
    *,
    unit_tests: bool = False,
    traced: Sequence[tuple[Module, Clause]] = (),
    mark: str = "",
) -> list[tuple[str, str]]:
    """Path and text of each module as it is evaluated.

    Parameters
    ----------
    unit_tests: the unit tests are to be run, nothing else.
    traced: the bodies that are to tell that they hold, by `mark` and their index.
    """
    return [
        (module.path, _changed(module.text, _changes(module, unit_tests, traced, mark)))
        for module in modules
    ]


def traceable(modules: Iterable[Module]) -> list[tuple[Module, Clause]]:
    """The clauses that can be traced: all that have conditions."""
    return [
        (module, clause)
        for module in modules
        for clause in module.clauses
        if clause.body is not None
    ]


def _changes(
    module: Module, unit_tests: bool, traced: Sequence[tuple[Module, Clause]], mark: str
) -> Iterator[Change]:
    yield from _fixed_clock(module.words)
    if unit_tests:
        yield from _input_as_data(module.words)
        yield from _values(module)
    for index, (owner, clause) in enumerate(traced):
        if owner is module and clause.body is not None:
            yield from _trace(clause.body, f"{mark}{index}")


def _fixed_clock(words: Sequence[Token]) -> Iterator[Change]:
    """The fixed time in place of the real one."""
    for index in clock_uses(words):
        call = [word.text for word in words[index + 3 : index + 5]] == ["(", ")"]
        replaced = index > 0 and words[index - 1].is_("with")
        if call or replaced:
            last = words[index + (4 if call else 2)]
            yield words[index].start, last.end, _NOW


def _input_as_data(words: Sequence[Token]) -> Iterator[Change]:
    for read in references(words):
        if read.root == "input":
            word = words[read.start]
            yield word.start, word.end, f"data.{INPUT}"


def _values(module: Module) -> Iterator[Change]:
    """Values of `with`, but for functions that stand in for others."""
    functions = {clause.name for clause in module.clauses if clause.arguments is not None}
    replacing = False
    for index, word in enumerate(module.words[:-1]):
        if word.is_("with"):
            replacing = module.words[index + 1].is_("input", "data", "time")
        elif word.is_("as") and replacing:
            replacing = False
            found = next(references(module.words[index + 1 :]), None)
            if found is None or found.start or found.called or found.root in functions:
                continue
            last = module.words[index + found.stop]
            start = module.words[index + 1].start
            yield start, start, "["
            yield last.end, last.end, "][0]"


def _trace(body: Body, told: str) -> Iterator[Change]:
    """A print behind a body's last condition."""
    # The line's end before it keeps a comment on the last line from swallowing it.
    ending = f'\nprint("{told}")\n}}'
    if body.braces:
        yield body.end - 1, body.end, ending
    else:
        yield body.start, body.start, "{ "
        yield body.end, body.end, ending


def _changed(text: str, changes: Iterable[Change]) -> str:
    """The text with all changes made, none of which overlap."""
    for start, stop, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[stop:]
    return text
