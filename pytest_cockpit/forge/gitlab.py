"""GitLab through its REST API: merge requests, notes and commit statuses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

from pytest_cockpit import __version__
from pytest_cockpit.forge import gitlab_rights, reading, texts
from pytest_cockpit.forge.addresses import Endpoint
from pytest_cockpit.forge.api import Check, ForgeError, Policy, PullRequest, Request, State
from pytest_cockpit.forge.asking import PAGE, Asker
from pytest_cockpit.forge.patience import Patience
from pytest_cockpit.forge.tokens import Token
from pytest_cockpit.forge.wire import TIMEOUT, Auth, Refused, Unknown, Wire
from pytest_cockpit.records.text import one_line

_TITLE = 255
_DESCRIPTION = 255
_DRAFT = "Draft: "
_STATUS = {
    State.PENDING: "pending",
    State.SUCCESS: "success",
    State.FAILURE: "failed",
    State.NEUTRAL: "skipped",
}


class Client(Asker):
    """One project on one GitLab."""

    def __init__(self, endpoint: Endpoint, token: Token, patience: Patience) -> None:
        super().__init__(Wire(endpoint, token), patience)
        self._project = f"{endpoint.api}/projects/{quote(endpoint.repository, safe='')}"
        self._options: dict[str, Any] = {
            "auth": Auth(token),
            "headers": {"User-Agent": f"pytest-cockpit/{__version__}"},
            "timeout": TIMEOUT,
            "follow_redirects": True,
            "trust_env": self.wire.trust_env,
            "verify": httpx.create_ssl_context(trust_env=self.wire.trust_env),
            "event_hooks": {
                "request": [self.wire.on_request],
                "response": [self.wire.on_response],
            },
        }

    def call(self, method: str, path: str, **fields: Any) -> Callable[[], httpx.Response]:
        """A request to a path below the project, not yet sent."""
        url, reads = f"{self._project}{path}", method == "GET"

        def send() -> httpx.Response:
            with httpx.Client(**self._options) as client:
                if reads:
                    return client.get(url, params=fields)
                return client.request(method, url, json=fields)

        return send

    def all(self, what: str, path: str, **fields: Any) -> list[dict[str, Any]]:
        """All rows of a list."""
        return self.rows(
            what, lambda page: self.call("GET", path, **fields, per_page=PAGE, page=page)()
        )

    @functools.cached_property
    def login(self) -> str | None:
        """Who the token is; None for that of a job, which may not ask."""

        def send() -> httpx.Response:
            with httpx.Client(**self._options) as client:
                return client.get(f"{self.endpoint.api}/user")

        try:
            return self.ask("who the token is", send, lambda data: reading.string(data, "username"))
        except Unknown:
            raise
        except ForgeError:
            return None


class GitLab:
    """Answers for one project on GitLab; see `api.Forge`."""

    def __init__(self, endpoint: Endpoint, token: Token, patience: Patience) -> None:
        self._client = Client(endpoint, token, patience)
        self.name = endpoint.name

    # ---------------------------------------------------------------- merge requests

    def publish(self, request: Request) -> PullRequest:
        """The open merge request of a branch, opened now or brought up to date."""
        found = self._find(request)
        if found is None:
            found = self._create(request)
        if found.get("state") == "merged":
            return _pull(found, request)
        return self._updated(found, request)

    def _find(self, request: Request) -> dict[str, Any] | None:
        rows = self._client.all(
            f"merge requests of {request.head}",
            "/merge_requests",
            source_branch=request.head,
            state="all",
        )
        ours = [
            row
            for row in rows
            if row.get("source_branch") == request.head
            and row.get("source_project_id") == row.get("target_project_id")
        ]
        opened = [row for row in ours if row.get("state") in ("opened", "locked")]
        opened.sort(key=lambda row: (row.get("target_branch") != request.base, _iid(row)))
        merged = [
            row
            for row in ours
            if row.get("state") == "merged" and request.commit and row.get("sha") == request.commit
        ]
        return next(iter([*opened, *merged]), None)

    def _create(self, request: Request) -> dict[str, Any]:
        fields = {
            "source_branch": request.head,
            "target_branch": request.base,
            "title": _title(request, draft=request.draft),
            "description": _body(request),
        }
        if request.labels:
            fields["labels"] = ",".join(request.labels)
        try:
            return self._client.ask(
                f"merge request of {request.head}",
                self._client.call("POST", "/merge_requests", **fields),
                functools.partial(_row, request),
                lambda: self._find(request),
            )
        except Refused as refused:
            found = self._find(request) if "already exists" in refused.said else None
            if found is None:
                raise
            return found

    def _updated(self, row: dict[str, Any], request: Request) -> PullRequest:
        """Title, description and labels as they should be; a draft stays one, or none."""
        pull = _pull(row, request)
        wanted = {"title": _title(request, draft=pull.draft), "description": _body(request)}
        fields = {key: text for key, text in wanted.items() if (row.get(key) or "") != text}
        missing = [label for label in request.labels if label not in pull.labels]
        if missing:
            fields["add_labels"] = ",".join(missing)
        if not fields:
            return pull
        changed = self._client.ask(
            f"merge request !{pull.number}",
            self._client.call("PUT", f"/merge_requests/{pull.number}", **fields),
            functools.partial(_row, request),
        )
        return _pull(changed, request)

    def labels_of(self, number: int) -> tuple[str, ...]:
        """The labels of a merge request."""
        return self._client.ask(
            f"labels of !{number}",
            self._client.call("GET", f"/merge_requests/{number}"),
            _labels,
        )

    def labels(self) -> frozenset[str]:
        """The labels that the project knows."""
        rows = self._client.all("labels", "/labels")
        return frozenset(row["name"] for row in rows if isinstance(row.get("name"), str))

    # ---------------------------------------------------------------- notes

    def comment(
        self, number: int, key: str, text: str, *, issue: bool = False, anew: bool = True
    ) -> str:
        """Make `text` our one note with this hidden key; its address, or "" where there is none."""
        client, body = self._client, texts.marked(key, text, texts.GITLAB_NOTE)
        place = "issues" if issue else "merge_requests"
        path, what = f"/{place}/{number}/notes", f"note on {place} {number}"

        def read(data: Any) -> tuple[int, str]:
            return reading.number(data, "id"), reading.string(data, "body")

        def look() -> tuple[int, str] | None:
            rows = client.all(what, path)
            mine = [row for row in rows if self._is_own(row, texts.mark(key))]
            return read(min(mine, key=_iid)) if mine else None

        found = look()
        if found is None and not anew:
            return ""
        if found is None:
            found = client.ask(what, client.call("POST", path, body=body), read, look)
        ident, written = found
        if written != body:
            client.ask(what, client.call("PUT", f"{path}/{ident}", body=body), read)
        base = client.endpoint.api.removesuffix("/api/v4")
        return f"{base}/{client.endpoint.repository}/-/{place}/{number}#note_{ident}"

    def _is_own(self, row: dict[str, Any], mark: str) -> bool:
        body, login = row.get("body"), self._client.login
        ours = isinstance(body, str) and body.startswith(mark)
        return ours and login is not None and reading.maybe(row, "author", "username") == login

    # ---------------------------------------------------------------- verdicts and rights

    def show(self, commit: str, check: Check) -> None:
        """Show a verdict as a commit status; GitLab has no place for annotations."""
        client, what = self._client, f"status {check.name}"
        wanted = (
            _STATUS[check.state],
            texts.line(one_line(check.summary or check.state.value), _DESCRIPTION),
        )

        def read(data: Any) -> tuple[str, str]:
            if reading.string(data, "name") != check.name:
                raise reading.Unreadable("an answer that is about another status")
            return reading.string(data, "status"), str(data.get("description") or "")

        def look() -> tuple[str, str] | None:
            rows = client.all(what, f"/repository/commits/{commit}/statuses", name=check.name)
            found = [read(row) for row in rows if row.get("name") == check.name]
            if not check.summary:
                found = [(status, wanted[1]) for status, _ in found]
            return wanted if wanted in found else None

        if look() is None:
            call = client.call(
                "POST",
                f"/statuses/{commit}",
                state=wanted[0],
                name=check.name,
                description=wanted[1],
            )
            client.ask(what, call, read, look)

    def may_push(self) -> bool | None:
        """Whether the token may push branches."""
        return gitlab_rights.may_push(self._client)

    def policy(self, branch: str) -> Policy | None:
        """What must hold before something is merged into `branch`."""
        return gitlab_rights.policy(self._client, branch)


def _title(request: Request, *, draft: bool) -> str:
    title = texts.line(request.title, _TITLE - len(_DRAFT))
    return f"{_DRAFT}{title}" if draft else title


def _body(request: Request) -> str:
    return texts.shortened(request.body, texts.GITLAB_BODY, request.rest)


def _iid(row: dict[str, Any]) -> int:
    value = row.get("iid", row.get("id"))
    return value if isinstance(value, int) else 0


def _row(request: Request, data: Any) -> dict[str, Any]:
    _pull(data, request)
    return reading.table(data, "merge request")


def _pull(data: Any, request: Request) -> PullRequest:
    """The merge request in an answer, which must be the one of this branch."""
    head = reading.string(data, "source_branch")
    if head != request.head:
        raise reading.Unreadable("an answer that is about another branch")
    return PullRequest(
        number=reading.number(data, "iid"),
        url=reading.address(data, "web_url"),
        head=head,
        base=reading.string(data, "target_branch"),
        # Empty for a moment after it was opened.
        commit=reading.maybe(data, "sha") or "",
        draft=reading.flag(data, "draft"),
        labels=_labels(data),
        merged=data.get("state") == "merged",
    )


def _labels(data: Any) -> tuple[str, ...]:
    listed = reading.maybe(data, "labels")
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise reading.Unreadable("an answer without labels")
    return tuple(listed)
