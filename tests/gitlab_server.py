"""A GitLab of one's own on 127.0.0.1.

GitLab's description of its API comes in no package, so requests and answers are held against the
fields that its documentation lists, kept by hand in `SENT` and `GIVEN`
(https://docs.gitlab.com/api/merge_requests, notes, commits, projects, protected_branches).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import jsonschema

from tests.forge_server import Asked, ForgeServer
from tests.github_answers import Answer

_TEXT, _WORDS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
_COUNT, _YES = {"type": "integer", "minimum": 1}, {"type": "boolean"}


def _table(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


def _given(**fields: Any) -> dict[str, Any]:
    return {**_table(**fields), "required": sorted(fields)}


def _sent(required: str, **fields: Any) -> dict[str, Any]:
    return {**_table(**fields), "required": required.split(), "additionalProperties": False}


def _some(row: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": row}


_REQUEST = _given(
    id=_COUNT,
    iid=_COUNT,
    title=_TEXT,
    description={"type": ["string", "null"]},
    state={"enum": ["opened", "closed", "merged", "locked"]},
    source_branch=_TEXT,
    target_branch=_TEXT,
    source_project_id=_COUNT,
    target_project_id=_COUNT,
    labels=_WORDS,
    draft=_YES,
    sha={"type": ["string", "null"]},
    web_url=_TEXT,
)
_NOTE = _given(id=_COUNT, body=_TEXT, author=_given(id=_COUNT, username=_TEXT), system=_YES)
_STATE = {"enum": ["pending", "running", "success", "failed", "canceled", "skipped"]}
_STATUS = _given(
    id=_COUNT, sha=_TEXT, name=_TEXT, status=_STATE, description={"type": ["string", "null"]}
)
SENT: dict[str, dict[str, Any]] = {
    "POST merge_requests": _sent(
        "source_branch target_branch title",
        source_branch=_TEXT,
        target_branch=_TEXT,
        title={"type": "string", "maxLength": 255},
        description={"type": "string", "maxLength": 1_048_576},
        labels=_TEXT,
    ),
    "PUT merge_request": _sent(
        "", title={"type": "string", "maxLength": 255}, description=_TEXT, add_labels=_TEXT
    ),
    "POST notes": _sent("body", body={"type": "string", "maxLength": 1_000_000}),
    "PUT note": _sent("body", body={"type": "string", "maxLength": 1_000_000}),
    "POST status": _sent(
        "state", state=_STATE, name=_TEXT, description={"type": "string", "maxLength": 255}
    ),
}
GIVEN: dict[str, dict[str, Any]] = {
    "GET user": _given(id=_COUNT, username=_TEXT),
    "GET project": _given(id=_COUNT, path_with_namespace=_TEXT),
    "GET merge_requests": _some(_REQUEST),
    "POST merge_requests": _REQUEST,
    "GET merge_request": _REQUEST,
    "PUT merge_request": _REQUEST,
    "GET notes": _some(_NOTE),
    "POST notes": _NOTE,
    "PUT note": _NOTE,
    "GET labels": _some(_given(id=_COUNT, name=_TEXT)),
    "GET statuses": _some(_STATUS),
    "POST status": _STATUS,
    "GET protected_branches": _some(
        _given(name=_TEXT, push_access_levels={"type": "array"}, allow_force_push=_YES)
    ),
    "GET approval_rules": _some(_given(id=_COUNT, approvals_required={"type": "integer"})),
}


class GitLabServer(ForgeServer):
    """One project; faults and all else as of the server that is a GitHub."""

    def __init__(self, owner: str = "g/s", repo: str = "r") -> None:
        super().__init__(owner, repo)
        self.requests: dict[int, dict[str, Any]] = {}
        self.notes: list[dict[str, Any]] = []
        self.shown: list[dict[str, Any]] = []
        self.known: list[str] = []
        self.project: dict[str, Any] = {
            "id": 1,
            "path_with_namespace": f"{owner}/{repo}",
            "permissions": {"project_access": {"access_level": 40}, "group_access": None},
            "only_allow_merge_if_pipeline_succeeds": False,
            "merge_method": "merge",
        }
        self.protected: list[dict[str, Any]] | None = []
        self.rules: list[dict[str, Any]] | None = None
        self.head = "1" * 40

    @property
    def url(self) -> str:
        """Base of its API."""
        return f"{super().url}/api/v4"

    def below(self, path: str) -> str:
        """The expression of a path below the project, for `fail`."""
        return "=" + re.escape(f"/api/v4/projects/{self._project}") + path

    @property
    def _project(self) -> str:
        return f"{self.state.owner}/{self.state.repo}".replace("/", "%2F")

    def _proper(self, asked: Asked, raw: bytes) -> Answer:
        secret = asked.headers.get("authorization", "").partition(" ")[2]
        job = asked.headers.get("job-token", "")
        if not {secret, job} & self.tokens:
            return Answer(401, {"message": "401 Unauthorized"})
        name, groups, answer = self._route(asked)
        if answer is None:
            self.violations.append(f"{asked.method} {asked.path}: not documented")
            return Answer(404, {"error": "404 Not Found"})
        try:
            if asked.method != "GET":
                jsonschema.validate(asked.body, SENT[name])
            made = answer(*groups, query=asked.query, body=asked.body)
            if made.status < 400:
                jsonschema.validate(made.data, GIVEN[name])
        except jsonschema.ValidationError as error:
            self.violations.append(f"{name}: {error.json_path}: {error.message}"[:300])
            return Answer(400, {"message": self.violations[-1]})
        return self._paged(made, asked.query)

    @staticmethod
    def _paged(made: Answer, query: Mapping[str, str]) -> Answer:
        if isinstance(made.data, list):
            size, page = int(query.get("per_page", 20)), int(query.get("page", 1))
            made.data = made.data[(page - 1) * size : page * size]
        return made

    def _route(self, asked: Asked) -> tuple[str, tuple[str, ...], Callable[..., Answer] | None]:
        prefix = f"/api/v4/projects/{self._project}"
        routes: list[tuple[str, str, str, Callable[..., Answer]]] = [
            ("GET", "/api/v4/user", "GET user", self._user),
            ("GET", prefix, "GET project", self._get_project),
            ("GET", f"{prefix}/merge_requests", "GET merge_requests", self._list),
            ("POST", f"{prefix}/merge_requests", "POST merge_requests", self._create),
            ("GET", rf"{prefix}/merge_requests/(\d+)", "GET merge_request", self._get),
            ("PUT", rf"{prefix}/merge_requests/(\d+)", "PUT merge_request", self._update),
            ("GET", rf"{prefix}/(\w+/\d+)/notes", "GET notes", self._list_notes),
            ("POST", rf"{prefix}/(\w+/\d+)/notes", "POST notes", self._create_note),
            ("PUT", rf"{prefix}/\w+/\d+/notes/(\d+)", "PUT note", self._update_note),
            ("GET", f"{prefix}/labels", "GET labels", self._labels),
            (
                "GET",
                rf"{prefix}/repository/commits/(\w+)/statuses",
                "GET statuses",
                self._statuses,
            ),
            ("POST", rf"{prefix}/statuses/(\w+)", "POST status", self._show),
            ("GET", f"{prefix}/protected_branches", "GET protected_branches", self._protected),
            ("GET", f"{prefix}/approval_rules", "GET approval_rules", self._rules),
        ]
        for method, pattern, name, answer in routes:
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                return name, tuple(map(unquote, found.groups())), answer
        return "", (), None

    def _user(self, **_: Any) -> Answer:
        return Answer(200, {"id": 1, "username": self.state.login})

    def _get_project(self, **_: Any) -> Answer:
        return Answer(200, self.project)

    # ------------------------------------------------------------ merge requests

    def _list(self, query: Mapping[str, str], **_: Any) -> Answer:
        rows = [
            row
            for row in reversed(self.requests.values())
            if query.get("source_branch", row["source_branch"]) == row["source_branch"]
            and query.get("state", "all") in ("all", row["state"])
        ]
        return Answer(200, rows)

    def add(self, head: str, base: str, **more: Any) -> dict[str, Any]:
        """Make a merge request behind everybody's back."""
        number = len(self.requests) + 1
        row = {
            "id": 100 + number,
            "iid": number,
            "title": "",
            "description": None,
            "state": "opened",
            "source_branch": head,
            "target_branch": base,
            "source_project_id": 1,
            "target_project_id": 1,
            "labels": [],
            "draft": False,
            # It is worked out a moment later.
            "sha": None,
            "web_url": f"https://gitlab.com/g/s/r/-/merge_requests/{number}",
            **more,
        }
        self.requests[number] = row
        return row

    def _create(self, body: dict[str, Any], **_: Any) -> Answer:
        head = body["source_branch"]
        for row in self.requests.values():
            if (row["source_branch"], row["state"]) == (head, "opened"):
                said = "Another open merge request already exists for this source branch: "
                return Answer(409, {"message": [f"{said}!{row['iid']}"]})
        row = self.add(head, body["target_branch"])
        made = {**row, "labels": body.get("labels", "").split(",") if "labels" in body else []}
        self.known += made["labels"]
        return self._shaped(row, body, made, 201)

    def _shaped(
        self, row: dict[str, Any], body: dict[str, Any], more: dict[str, Any], status: int
    ) -> Answer:
        row |= more
        row |= {key: body[key] for key in ("title", "description") if key in body}
        row["draft"] = row["title"].startswith("Draft: ")
        answer = Answer(status, dict(row))
        row["sha"] = self.head
        return answer

    def _get(self, number: str, **_: Any) -> Answer:
        row = self.requests.get(int(number))
        return Answer(200, row) if row else Answer(404, {"message": "404 Not found"})

    def _update(self, number: str, body: dict[str, Any], **_: Any) -> Answer:
        row = self.requests[int(number)]
        added = [name for name in body.get("add_labels", "").split(",") if name]
        return self._shaped(row, body, {"labels": [*row["labels"], *added]}, 200)

    def _labels(self, **_: Any) -> Answer:
        return Answer(200, [{"id": 1, "name": name} for name in self.known])

    # ------------------------------------------------------------ notes, statuses, rights

    def add_note(self, place: str, body: str, username: str) -> dict[str, Any]:
        """Say something behind everybody's back."""
        author = {"id": 1, "username": username}
        row = {"id": len(self.notes) + 1, "body": body, "author": author, "system": False}
        self.notes.append({**row, "place": place})
        return row

    def _list_notes(self, place: str, **_: Any) -> Answer:
        return Answer(200, [row for row in self.notes if row["place"] == place])

    def _create_note(self, place: str, body: dict[str, Any], **_: Any) -> Answer:
        return Answer(201, self.add_note(place, body["body"], str(self.state.login)))

    def _update_note(self, ident: str, body: dict[str, Any], **_: Any) -> Answer:
        row = next(row for row in self.notes if row["id"] == int(ident))
        row["body"] = body["body"]
        return Answer(200, row)

    def _statuses(self, commit: str, query: Mapping[str, str], **_: Any) -> Answer:
        newest = {row["name"]: row for row in self.shown if row["sha"] == commit}
        name = query.get("name")
        return Answer(200, [row for row in newest.values() if name in (None, row["name"])])

    def _show(self, commit: str, body: dict[str, Any], **_: Any) -> Answer:
        row = {
            "id": len(self.shown) + 1,
            "sha": commit,
            "name": body.get("name", "default"),
            "status": body["state"],
            "description": body.get("description"),
        }
        self.shown.append(row)
        return Answer(201, row)

    def _protected(self, **_: Any) -> Answer:
        if self.protected is None:
            return Answer(403, {"message": "403 Forbidden"})
        return Answer(200, list(self.protected))

    def _rules(self, **_: Any) -> Answer:
        if self.rules is None:
            return Answer(404, {"error": "404 Not Found"})
        return Answer(200, list(self.rules))
