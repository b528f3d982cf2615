"""GitHub, github.com and servers of one's own alike."""

from __future__ import annotations

from typing import Any

from pytest_cockpit.forge import github_checks, github_rights, reading, texts
from pytest_cockpit.forge.addresses import Endpoint
from pytest_cockpit.forge.api import Check, ForgeError, Policy, PullRequest, Request
from pytest_cockpit.forge.asking import PAGE
from pytest_cockpit.forge.github_client import Client
from pytest_cockpit.forge.patience import Patience
from pytest_cockpit.forge.tokens import Token
from pytest_cockpit.forge.wire import Denied, Missing, Refused

_TITLE = 256
_COLOR = "0e8a16"
_MEANING = "Files promoted by pytest-cockpit"


class GitHub:
    """Answers for one repository on GitHub; see `api.Forge`."""

    def __init__(self, endpoint: Endpoint, token: Token, patience: Patience) -> None:
        self._client = Client(endpoint, token, patience)
        self._checks = github_checks.Checks(self._client)
        self.name = endpoint.name

    # ---------------------------------------------------------------- pull requests

    def publish(self, request: Request) -> PullRequest:
        """The open pull request of a branch, opened now or brought up to date."""
        found = self._find(request)
        if found is None:
            found = self._create(request)
        if _is_merged(found):
            return _pull(found, request)
        return self._labelled(self._updated(found, request), request)

    def _find(self, request: Request) -> dict[str, Any] | None:
        """The open one of this branch, or the one that was merged at this very commit."""
        client = self._client
        rows = client.rows(
            f"pull requests of {request.head}",
            lambda page: client.rest.pulls.list(
                client.owner,
                client.repo,
                state="all",
                head=f"{client.owner}:{request.head}",
                per_page=PAGE,
                page=page,
            ),
        )
        # A filter that it does not understand is one that GitHub leaves out.
        ours = [row for row in rows if self._is_ours(row, request.head)]
        opened = [row for row in ours if row.get("state") == "open"]
        opened.sort(key=lambda row: (reading.maybe(row, "base", "ref") != request.base, _id(row)))
        if opened:
            return opened[0]
        merged = (row for row in ours if _is_merged(row) and request.commit)
        return next(
            (row for row in merged if reading.maybe(row, "head", "sha") == request.commit), None
        )

    def _is_ours(self, row: dict[str, Any], head: str) -> bool:
        full = reading.maybe(row, "head", "repo", "full_name")
        ours = f"{self._client.owner}/{self._client.repo}"
        return (
            reading.maybe(row, "head", "ref") == head
            and isinstance(full, str)
            and full.lower() == ours.lower()
        )

    def _create(self, request: Request) -> dict[str, Any]:
        client = self._client

        def read(data: Any) -> dict[str, Any]:
            _pull(data, request)
            return reading.table(data, "pull request")

        try:
            return client.ask(
                f"pull request of {request.head}",
                lambda: client.rest.pulls.create(
                    client.owner,
                    client.repo,
                    head=request.head,
                    base=request.base,
                    title=texts.line(request.title, _TITLE),
                    body=_body(request),
                    draft=request.draft,
                ),
                read,
                lambda: self._find(request),
            )
        except Refused as refused:
            # Somebody else's answer came first, or the one that was lost.
            found = self._find(request) if "already exists" in refused.said else None
            if found is not None:
                return found
            raise ForgeError(f"{refused}{_cure(refused.said, request)}") from None

    def _updated(self, row: dict[str, Any], request: Request) -> dict[str, Any]:
        client, number = self._client, reading.number(row, "number")
        wanted = {"title": texts.line(request.title, _TITLE), "body": _body(request)}
        there = {key: str(row.get(key) or "").replace("\r\n", "\n") for key in wanted}
        differing: Any = {key: text for key, text in wanted.items() if there[key] != text}
        if not differing:
            return row

        def read(data: Any) -> dict[str, Any]:
            _pull(data, request)
            return reading.table(data, "pull request")

        return client.ask(
            f"pull request #{number}",
            lambda: client.rest.pulls.update(client.owner, client.repo, number, data=differing),
            read,
        )

    def _labelled(self, row: dict[str, Any], request: Request) -> PullRequest:
        pull = _pull(row, request)
        missing = _without(request.labels, pull.labels)
        if not missing:
            return pull
        client = self._client
        for label in _without(missing, self.labels()):
            self._make_label(label)

        def read(data: Any) -> tuple[str, ...]:
            names = _names(data)
            if _without(missing, names):
                raise reading.Unreadable(f"an answer without the labels {', '.join(missing)}")
            return names

        # Adding a label twice is adding it once: repeating does no harm.
        labels = client.ask(
            f"labels of #{pull.number}",
            lambda: client.rest.issues.add_labels(
                client.owner, client.repo, pull.number, labels=list(missing)
            ),
            read,
        )
        return _pull(row, request, labels)

    def _make_label(self, label: str) -> None:
        client = self._client

        def look() -> str | None:
            return None if _without((label,), self.labels()) else label

        try:
            client.ask(
                f"label {label!r}",
                lambda: client.rest.issues.create_label(
                    client.owner, client.repo, name=label, color=_COLOR, description=_MEANING
                ),
                lambda data: reading.string(data, "name"),
                look,
            )
        except (Denied, Missing) as denied:
            raise ForgeError(
                f"{self.name}: there is no label {label!r}, and the token may not make it: make "
                f"it, or take it out of tool.cockpit.forge.labels ({denied})"
            ) from None
        except Refused:
            if look() is None:
                raise

    def labels_of(self, number: int) -> tuple[str, ...]:
        """The labels of a pull request."""
        client = self._client
        rows = client.rows(
            f"labels of #{number}",
            lambda page: client.rest.issues.list_labels_on_issue(
                client.owner, client.repo, number, per_page=PAGE, page=page
            ),
        )
        return self._named(rows)

    def labels(self) -> frozenset[str]:
        """The labels that the repository knows."""
        client = self._client
        rows = client.rows(
            "labels",
            lambda page: client.rest.issues.list_labels_for_repo(
                client.owner, client.repo, per_page=PAGE, page=page
            ),
        )
        return frozenset(self._named(rows))

    def _named(self, rows: list[dict[str, Any]]) -> tuple[str, ...]:
        try:
            return _names(rows)
        except reading.Unreadable as error:
            raise ForgeError(f"{self.name}: {error}") from None

    # ---------------------------------------------------------------- comments

    def comment(
        self, number: int, key: str, text: str, *, issue: bool = False, anew: bool = True
    ) -> str:
        """Make `text` our one comment with this hidden key; its address."""
        client, body = self._client, texts.marked(key, text, texts.GITHUB_BODY)

        def read(data: Any) -> tuple[int, str, str]:
            written = reading.string(data, "body")
            return reading.number(data, "id"), reading.address(data, "html_url"), written

        def look() -> tuple[int, str, str] | None:
            rows = client.rows(
                f"comments of #{number}",
                lambda page: client.rest.issues.list_comments(
                    client.owner, client.repo, number, per_page=PAGE, page=page
                ),
            )
            mine = [row for row in rows if self._is_own(row, texts.mark(key))]
            return read(min(mine, key=_id)) if mine else None

        found = look()
        if found is None and not anew:
            return ""
        if found is None:
            found = client.ask(
                f"comment on #{number}",
                lambda: client.rest.issues.create_comment(
                    client.owner, client.repo, number, body=body
                ),
                read,
                look,
            )
        ident, url, written = found
        if written.replace("\r\n", "\n") != body:
            client.ask(
                f"comment on #{number}",
                lambda: client.rest.issues.update_comment(
                    client.owner, client.repo, ident, body=body
                ),
                read,
            )
        return url

    def _is_own(self, row: dict[str, Any], mark: str) -> bool:
        body = row.get("body")
        if not isinstance(body, str) or not body.startswith(mark):
            return False
        login = self._client.login
        if login is None:
            return bool(reading.maybe(row, "user", "type") == "Bot")
        return bool(reading.maybe(row, "user", "login") == login)

    # ---------------------------------------------------------------- verdicts and rights

    def show(self, commit: str, check: Check) -> None:
        """Show a verdict at a commit, in the place of an earlier one of the same name."""
        self._checks.show(commit, check)

    def may_push(self) -> bool | None:
        """Whether the token may push branches."""
        return github_rights.may_push(self._client)

    def policy(self, branch: str) -> Policy | None:
        """What must hold before something is merged into `branch`."""
        return github_rights.policy(self._client, branch)


def _body(request: Request) -> str:
    return texts.shortened(request.body, texts.GITHUB_BODY, request.rest)


def _cure(said: str, request: Request) -> str:
    if "draft" in said.lower():
        return "; set tool.cockpit.forge.draft = false"
    if "base" in said.lower():
        return f"; push {request.base} first, or set tool.cockpit.forge.base"
    return ""


def _id(row: dict[str, Any]) -> int:
    value = row.get("number", row.get("id"))
    return value if isinstance(value, int) else 0


def _is_merged(row: dict[str, Any]) -> bool:
    return row.get("state") == "closed" and bool(row.get("merged_at"))


def _pull(data: Any, request: Request, labels: tuple[str, ...] | None = None) -> PullRequest:
    """The pull request in an answer, which must be the one of this branch."""
    head = reading.string(data, "head", "ref")
    if head != request.head:
        raise reading.Unreadable("an answer that is about another branch")
    return PullRequest(
        number=reading.number(data, "number"),
        url=reading.address(data, "html_url"),
        head=head,
        base=reading.string(data, "base", "ref"),
        commit=reading.string(data, "head", "sha"),
        draft=reading.flag(data, "draft"),
        labels=_names(data.get("labels") or []) if labels is None else labels,
        merged=_is_merged(data),
    )


def _names(rows: Any) -> tuple[str, ...]:
    return tuple(reading.string(row, "name") for row in reading.rows(rows, "labels"))


def _without(wanted: tuple[str, ...], there: tuple[str, ...] | frozenset[str]) -> tuple[str, ...]:
    """Those of `wanted` that are not there; labels differ by more than their case."""
    known = {name.lower() for name in there}
    return tuple(name for name in wanted if name.lower() not in known)
