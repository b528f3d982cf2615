"""Verdicts at a commit on GitHub: check runs where the token may make them, else statuses."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pytest_cockpit.forge import reading, texts
from pytest_cockpit.forge.api import Annotation, Check, State
from pytest_cockpit.forge.asking import PAGE
from pytest_cockpit.forge.github_client import Client
from pytest_cockpit.forge.wire import Denied, Missing
from pytest_cockpit.records.text import canonical_line, one_line, plain

PER_REQUEST = 50
"""Annotations that GitHub takes at once."""

DESCRIPTION = 140
_TEXT = 65_535
_MESSAGE = 16_000
_TITLE = 255
_REST = "the artifacts of the session"
_OURS = "pytest-cockpit:"
_CONCLUSION = {
    State.SUCCESS: "success",
    State.FAILURE: "failure",
    State.NEUTRAL: "neutral",
}
# A status knows no neutral; one that is pending would hold up a merge for ever.
_STATUS: dict[State, Literal["pending", "success", "failure"]] = {
    State.PENDING: "pending",
    State.SUCCESS: "success",
    State.FAILURE: "failure",
    State.NEUTRAL: "success",
}


class Checks:
    """What is shown at commits; remembers what the token may."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._runs = True

    def show(self, commit: str, check: Check) -> None:
        """Show a verdict; whatever was shown under this name before counts no more."""
        if self._runs:
            try:
                self._run(commit, check)
            except (Denied, Missing):
                # Only applications may; the token of a job in Actions is one.
                self._runs = False
        if not self._runs:
            self._status(commit, check)

    def _run(self, commit: str, check: Check) -> None:
        client, ident = self._client, _identity(commit, check)
        what = f"check {check.name}"
        first = [_annotation(item) for item in check.annotations[:PER_REQUEST]]
        fields: Any = {
            "name": check.name,
            "head_sha": commit,
            "output": _output(check, first),
            **_progress(check, ident),
        }

        def look() -> dict[str, Any] | None:
            rows = client.rows(
                what,
                lambda page: client.rest.checks.list_for_ref(
                    client.owner,
                    client.repo,
                    commit,
                    check_name=check.name,
                    filter_="latest",
                    per_page=PAGE,
                    page=page,
                ),
                "check_runs",
            )
            return next((row for row in rows if _is_same(row, check, ident)), None)

        def read(data: Any) -> dict[str, Any]:
            reading.number(data, "id")
            if (
                reading.string(data, "name") != check.name
                or reading.string(data, "head_sha") != commit
            ):
                raise reading.Unreadable("an answer that is about another check")
            return reading.table(data, "check run")

        found = look()
        if found is None:
            found = client.ask(
                what,
                lambda: client.rest.checks.create(client.owner, client.repo, data=fields),
                read,
                look,
            )
        self._append(what, read(found), check)

    def _append(self, what: str, run: dict[str, Any], check: Check) -> None:
        """Add the annotations that are not there yet."""
        ident, there = reading.number(run, "id"), _annotations_of(run)
        while there < len(check.annotations):
            there = self._appended(what, ident, check, there)

    def _appended(self, what: str, ident: int, check: Check, there: int) -> int:
        """How many annotations there are after one more request, which adds to the last."""
        client = self._client
        some = [_annotation(item) for item in check.annotations[there : there + PER_REQUEST]]
        fields: Any = {"output": _output(check, some)}

        def look() -> int | None:
            count = client.ask(
                what,
                lambda: client.rest.checks.get(client.owner, client.repo, ident),
                _annotations_of,
            )
            return count if count > there else None

        return client.ask(
            what,
            lambda: client.rest.checks.update(client.owner, client.repo, ident, data=fields),
            # An answer that is a moment behind must not bring the same ones again.
            lambda data: max(_annotations_of(data), there + len(some)),
            look,
        )

    def _status(self, commit: str, check: Check) -> None:
        client, what = self._client, f"status {check.name}"
        said = check.summary or check.state.value
        if check.state is State.NEUTRAL:
            said = f"not judged: {check.summary}" if check.summary else "not judged"
        wanted = (_STATUS[check.state], texts.line(one_line(said), DESCRIPTION))

        def read(data: Any) -> tuple[str, str]:
            if reading.string(data, "context") != check.name:
                raise reading.Unreadable("an answer that is about another status")
            return reading.string(data, "state"), str(data.get("description") or "")

        def look() -> tuple[str, str] | None:
            rows = client.ask(
                what,
                lambda: client.rest.repos.list_commit_statuses_for_ref(
                    client.owner, client.repo, commit, per_page=PAGE
                ),
                lambda data: reading.rows(data, what),
            )
            # The newest comes first, and it alone counts.
            ours = [row for row in rows if row.get("context") == check.name]
            found = (ours[0].get("state"), ours[0].get("description")) if ours else None
            if found and not check.summary:
                found = (found[0], wanted[1])
            return wanted if found == wanted else None

        if look() is None:
            client.ask(
                what,
                lambda: client.rest.repos.create_commit_status(
                    client.owner,
                    client.repo,
                    commit,
                    state=wanted[0],
                    description=wanted[1],
                    context=check.name,
                ),
                read,
                look,
            )


def _identity(commit: str, check: Check) -> str:
    """The same for the same verdict on the same commit, so that a lost answer is found again."""
    facts = [
        commit,
        check.name,
        check.state.value,
        check.summary,
        check.text,
        [
            [item.path, item.line, item.level.value, item.title, item.message]
            for item in check.annotations
        ],
    ]
    return _OURS + hashlib.sha256(canonical_line(plain(facts))).hexdigest()


def _is_same(run: dict[str, Any], check: Check, ident: str) -> bool:
    """Whether a check run says this already."""
    there = run.get("external_id")
    if check.summary or not isinstance(there, str):
        return there == ident
    # Only the state is known, and whatever we said of it before is more.
    return there.startswith(_OURS) and run.get("conclusion") == _CONCLUSION.get(check.state)


def _progress(check: Check, ident: str) -> dict[str, Any]:
    if check.state is State.PENDING:
        return {"external_id": ident, "status": "in_progress"}
    return {
        "external_id": ident,
        "status": "completed",
        "conclusion": _CONCLUSION[check.state],
    }


def _output(check: Check, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    output: dict[str, Any] = {
        "title": texts.line(one_line(check.summary or check.name), _TITLE),
        "summary": texts.shortened(check.summary or check.state.value, _TEXT, _REST),
        "annotations": annotations,
    }
    if check.text:
        output["text"] = texts.shortened(check.text, _TEXT, _REST)
    return output


def _annotation(item: Annotation) -> dict[str, Any]:
    return {
        "path": item.path,
        "start_line": item.line,
        "end_line": item.line,
        "annotation_level": item.level.value,
        "title": texts.line(one_line(item.title), _TITLE),
        "message": texts.line(one_line(item.message or item.title), _MESSAGE),
    }


def _annotations_of(run: Any) -> int:
    count = reading.maybe(run, "output", "annotations_count")
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise reading.Unreadable("an answer without output.annotations_count")
    return count
