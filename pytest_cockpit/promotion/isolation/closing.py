"""What came of a search, in files and numbered sessions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from pytest_cockpit.promotion.isolation.outcome import Culprit, Flake, Outcome, Session
from pytest_cockpit.promotion.isolation.search import Search


def outcome_of(search: Search) -> Outcome:
    """What is known so far."""
    files, sessions = search.units.files, search.sessions
    proofs = [
        number
        for number, session in enumerate(sessions, 1)
        if session.green and session.units == search.good
    ]
    return Outcome(
        good=files(search.good),
        proven_by=proofs[-1] if search.good else None,
        culprits=tuple(
            Culprit(
                files=files([blame.unit]),
                partners=files(blame.partners),
                red_with=tuple(at + 1 for at in blame.red),
                green_without=tuple(at + 1 for at in blame.green),
                failing=_in_all([sessions[at].failing for at in blame.red]),
                held=files(blame.held),
            )
            for blame in search.blames
        ),
        flakes=tuple(_flakes(search)),
        open=files(search.open),
        sessions=dict(Counter(session.why for session in sessions)),
        stopped=search.stopped,
    )


def _in_all(failing: Sequence[Iterable[str]]) -> tuple[str, ...]:
    return tuple(name for name in failing[0] if all(name in other for other in failing))


def _flakes(search: Search) -> Iterator[Flake]:
    judged: defaultdict[frozenset[int], list[tuple[int, Session]]] = defaultdict(list)
    for number, session in enumerate(search.sessions, 1):
        judged[session.units].append((number, session))
    for units, told in judged.items():
        red = tuple(number for number, session in told if session.green is False)
        green = tuple(number for number, session in told if session.green)
        if red and green:
            failing = [
                name for _, session in told if session.green is False for name in session.failing
            ]
            yield Flake(search.units.files(units), red, green, tuple(dict.fromkeys(failing)))
