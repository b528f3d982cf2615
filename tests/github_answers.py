"""What GitHub keeps and answers, as far as the tests' own server needs it.

Answers are those that GitHub's description gives as examples, with what matters replaced.
"""

from __future__ import annotations

import copy
import functools
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_EXAMPLES = Path(__file__).parent / "data" / "github" / "examples.json"
_DOCS = "https://docs.github.com/rest"
_PAGE = 30
_ANNOTATIONS = 50
_BODY = 65_536


@dataclass
class Answer:
    """One answer; bytes are sent as they are."""

    status: int
    data: Any
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, message: str, *errors: dict[str, str]) -> Answer:
    """GitHub's way to say no."""
    data: dict[str, Any] = {"message": message, "documentation_url": _DOCS, "status": str(status)}
    if errors:
        data["errors"] = list(errors)
    return Answer(status, data)


class State:
    """One repository, and who asks.

    Parameters
    ----------
    login: who the token is; None for an application, such as the token of a job in Actions.
    remote: a bare repository whose branches are those of the forge; without one every branch is
        there, at the commit that `heads` says.
    may_label, may_push, may_see_protection: what the token may.
    protection: the classic protection by branch; `rules` what rulesets say by branch.
    """

    def __init__(self, owner: str, repo: str) -> None:
        self.owner, self.repo = owner, repo
        self.login: str | None = "operator"
        self.remote: Path | None = None
        self.heads: dict[str, str] = {}
        self.may_label = True
        self.may_push: bool | None = True
        self.may_see_protection = True
        self.may_see_rules = True
        self.protection: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, list[dict[str, Any]]] = {}
        self.labels: list[str] = []
        self.pulls: dict[int, dict[str, Any]] = {}
        self.comments: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.annotations: dict[int, list[dict[str, Any]]] = {}
        self.clock_offset_s = 0.0
        self._last = 0

    # ------------------------------------------------------------ to be looked at

    @property
    def open_pulls(self) -> list[dict[str, Any]]:
        """Pull requests that are open."""
        return [pull for pull in self.pulls.values() if pull["state"] == "open"]

    def shown(self, commit: str) -> dict[str, str]:
        """What is shown at a commit: state by name, the newest of each."""
        found = {
            row["name"]: str(row["conclusion"]) for row in self.runs if row["head_sha"] == commit
        }
        return found | {
            row["context"]: row["state"] for row in self.statuses if row["sha"] == commit
        }

    # ------------------------------------------------------------ answering

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        """The answer to a request that the description allows."""
        if path == "/user":
            return self._user()
        prefix = f"/repos/{self.owner}/{self.repo}"
        if not path.lower().startswith(prefix.lower()):
            return error(404, "Not Found")
        rest = path[len(prefix) :]
        for pattern, answer in self._routes(method):
            found = re.fullmatch(pattern, rest)
            if found:
                made = answer(*found.groups(), query=query, body=body)
                return self._paged(made, query)
        return error(404, "Not Found")

    def _routes(self, method: str) -> list[tuple[str, Callable[..., Answer]]]:
        get: list[tuple[str, Callable[..., Answer]]] = [
            ("", self._repository),
            (r"/pulls", self._list_pulls),
            (r"/pulls/(\d+)", self._get_pull),
            (r"/issues/(\d+)/labels", self._labels_of),
            (r"/issues/(\d+)/comments", self._list_comments),
            (r"/labels", self._list_labels),
            (r"/commits/([0-9a-f]+)/statuses", self._list_statuses),
            (r"/commits/([0-9a-f]+)/check-runs", self._list_runs),
            (r"/check-runs/(\d+)", self._get_run),
            (r"/branches/(.+)/protection", self._get_protection),
            (r"/rules/branches/(.+)", self._get_rules),
        ]
        post: list[tuple[str, Callable[..., Answer]]] = [
            (r"/pulls", self._create_pull),
            (r"/issues/(\d+)/labels", self._add_labels),
            (r"/issues/(\d+)/comments", self._create_comment),
            (r"/labels", self._create_label),
            (r"/statuses/([0-9a-f]+)", self._create_status),
            (r"/check-runs", self._create_run),
        ]
        patch: list[tuple[str, Callable[..., Answer]]] = [
            (r"/pulls/(\d+)", self._update_pull),
            (r"/issues/comments/(\d+)", self._update_comment),
            (r"/check-runs/(\d+)", self._update_run),
        ]
        return {"GET": get, "POST": post, "PATCH": patch}.get(method, [])

    def _paged(self, answer: Answer, query: Mapping[str, str]) -> Answer:
        size, page = int(query.get("per_page", _PAGE)), int(query.get("page", 1))
        part = slice((page - 1) * size, page * size)
        if isinstance(answer.data, list) and answer.status == 200:
            answer.data = answer.data[part]
        elif isinstance(answer.data, dict) and "check_runs" in answer.data:
            answer.data["check_runs"] = answer.data["check_runs"][part]
        return answer

    def _number(self) -> int:
        self._last += 1
        return self._last

    def _user(self) -> Answer:
        if self.login is None:
            return error(403, "Resource not accessible by integration")
        user = example("private-user-response-with-public-profile-information")
        user.setdefault("user_view_type", "public")
        return Answer(200, {**user, "login": self.login})

    def _repository(self, **_: Any) -> Answer:
        data = example("full-repository-default-response")
        data |= {"name": self.repo, "full_name": f"{self.owner}/{self.repo}", "language": None}
        for inner in ("parent", "source", "template_repository"):
            data.pop(inner, None)
        data.pop("permissions", None)
        if self.may_push is not None:
            rights = {"admin": False, "maintain": False, "triage": True, "pull": True}
            data["permissions"] = {**rights, "push": self.may_push}
        return Answer(200, data)

    # ------------------------------------------------------------ pull requests

    def head(self, branch: str) -> str | None:
        """The commit of a branch; None where there is none."""
        if self.remote is None:
            return self.heads.get(branch, "1" * 40)
        done = subprocess.run(
            ["git", "rev-parse", "-q", "--verify", f"refs/heads/{branch}"],
            cwd=self.remote,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() or None

    def _list_pulls(self, query: Mapping[str, str], **_: Any) -> Answer:
        state, head = query.get("state", "open"), query.get("head")
        owner, _colon, branch = (head or "").partition(":")
        rows = [
            pull
            for pull in reversed(self.pulls.values())
            if state in ("all", pull["state"])
            and (not head or (owner == self.owner and pull["head"]["ref"] == branch))
            and query.get("base", pull["base"]["ref"]) == pull["base"]["ref"]
        ]
        simple = example("pull-request-simple-items")[0]
        full = [self._pull(row) for row in rows]
        return Answer(200, [{key: row[key] for key in simple} for row in full])

    def _pull(self, row: dict[str, Any]) -> dict[str, Any]:
        labels = [self._label(name) for name in row["labels"]]
        head = {**row["head"], "sha": self.head(row["head"]["ref"]) or row["head"]["sha"]}
        return {**row, "labels": labels, "head": head}

    def _get_pull(self, number: str, **_: Any) -> Answer:
        row = self.pulls.get(int(number))
        return Answer(200, self._pull(row)) if row else error(404, "Not Found")

    def add_pull(self, head: str, base: str, title: str = "", body: str = "", **more: Any) -> int:
        """Make a pull request behind everybody's back."""
        row, number = example("pull-request"), self._number()
        repository = {**row["base"]["repo"], "name": self.repo}
        repository["full_name"] = f"{self.owner}/{self.repo}"
        row |= {
            "number": number,
            "id": 1000 + number,
            "html_url": f"https://github.com/{self.owner}/{self.repo}/pull/{number}",
            "title": title,
            "body": body,
            "state": "open",
            "draft": False,
            "merged": False,
            "merged_at": None,
            "merged_by": None,
            "closed_at": None,
            "labels": [],
            "requested_teams": [],
            "head": {
                **row["head"],
                "ref": head,
                "label": f"{self.owner}:{head}",
                "repo": repository,
            },
            "base": {
                **row["base"],
                "ref": base,
                "label": f"{self.owner}:{base}",
                "repo": repository,
            },
            **more,
        }
        row["head"]["sha"] = self.head(head) or "1" * 40
        self.pulls[number] = row
        return number

    def _create_pull(self, body: dict[str, Any], **_: Any) -> Answer:
        head, base = body["head"].removeprefix(f"{self.owner}:"), body["base"]
        for name, branch in (("head", head), ("base", base)):
            if self.head(branch) is None:
                invalid = {"resource": "PullRequest", "field": name, "code": "invalid"}
                return error(422, "Validation Failed", invalid)
        if any(
            row["head"]["ref"] == head and row["base"]["ref"] == base for row in self.open_pulls
        ):
            said = f"A pull request already exists for {self.owner}:{head}."
            custom = {"resource": "PullRequest", "code": "custom", "message": said}
            return error(422, "Validation Failed", custom)
        if len(body.get("body") or "") > _BODY:
            return self._too_long("PullRequest")
        number = self.add_pull(
            head,
            base,
            body.get("title", ""),
            body.get("body") or "",
            draft=body.get("draft", False),
        )
        return Answer(201, self._pull(self.pulls[number]))

    @staticmethod
    def _too_long(resource: str) -> Answer:
        said = f"body is too long (maximum is {_BODY} characters)"
        row = {"resource": resource, "code": "custom", "field": "body", "message": said}
        return error(422, "Validation Failed", row)

    def _update_pull(self, number: str, body: dict[str, Any], **_: Any) -> Answer:
        row = self.pulls.get(int(number))
        if row is None:
            return error(404, "Not Found")
        if len(body.get("body") or "") > _BODY:
            return self._too_long("PullRequest")
        row |= {key: body[key] for key in ("title", "body", "state") if key in body}
        if "base" in body:
            row["base"]["ref"] = body["base"]
        return Answer(200, self._pull(row))

    # ------------------------------------------------------------ labels

    def _label(self, name: str) -> dict[str, Any]:
        return {**example("label"), "name": name, "id": 1 + sum(name.encode()), "default": False}

    def _list_labels(self, **_: Any) -> Answer:
        return Answer(200, [self._label(name) for name in self.labels])

    def _create_label(self, body: dict[str, Any], **_: Any) -> Answer:
        if not self.may_label:
            return error(403, "Resource not accessible by integration")
        if body["name"].lower() in (name.lower() for name in self.labels):
            there = {"resource": "Label", "code": "already_exists", "field": "name"}
            return error(422, "Validation Failed", there)
        self.labels.append(body["name"])
        return Answer(201, self._label(body["name"]))

    def _labels_of(self, number: str, **_: Any) -> Answer:
        row = self.pulls.get(int(number))
        if row is None:
            return error(404, "Not Found")
        return Answer(200, [self._label(name) for name in row["labels"]])

    def _add_labels(self, number: str, body: Any, **_: Any) -> Answer:
        row = self.pulls.get(int(number))
        if row is None:
            return error(404, "Not Found")
        for name in body["labels"]:
            if name.lower() not in (each.lower() for each in row["labels"]):
                row["labels"].append(name)
            if name not in self.labels:
                self.labels.append(name)
        return Answer(200, [self._label(name) for name in row["labels"]])

    # ------------------------------------------------------------ comments

    def add_comment(self, number: int, body: str, login: str, kind: str = "User") -> dict[str, Any]:
        """Say something behind everybody's back."""
        row: dict[str, Any] = example("issue-comment")
        ident = self._number()
        url = f"https://github.com/{self.owner}/{self.repo}/pull/{number}#issuecomment-{ident}"
        row |= {"id": ident, "body": body, "html_url": url}
        row["user"] = {**row["user"], "login": login, "type": kind}
        row["issue_url"] = f"https://api.github.com/repos/{self.owner}/{self.repo}/issues/{number}"
        self.comments.append(row)
        return row

    def comments_on(self, number: int) -> list[dict[str, Any]]:
        """The comments on a pull request or issue."""
        return [row for row in self.comments if row["issue_url"].endswith(f"/issues/{number}")]

    def _list_comments(self, number: str, **_: Any) -> Answer:
        return Answer(200, self.comments_on(int(number)))

    def _create_comment(self, number: str, body: dict[str, Any], **_: Any) -> Answer:
        if len(body["body"]) > _BODY:
            return self._too_long("IssueComment")
        app = self.login is None
        login = "github-actions[bot]" if app else str(self.login)
        row = self.add_comment(int(number), body["body"], login, "Bot" if app else "User")
        return Answer(201, row)

    def _update_comment(self, ident: str, body: dict[str, Any], **_: Any) -> Answer:
        row = next((row for row in self.comments if row["id"] == int(ident)), None)
        if row is None:
            return error(404, "Not Found")
        row["body"] = body["body"]
        return Answer(200, row)

    # ------------------------------------------------------------ verdicts

    def _list_statuses(self, commit: str, **_: Any) -> Answer:
        rows = [row for row in reversed(self.statuses) if row["sha"] == commit]
        return Answer(200, [{key: row[key] for key in row if key != "sha"} for row in rows])

    def _create_status(self, commit: str, body: dict[str, Any], **_: Any) -> Answer:
        if len(body.get("description") or "") > 140:
            said = "description is too long (maximum is 140 characters)"
            row = {"resource": "Status", "code": "custom", "field": "description", "message": said}
            return error(422, "Validation Failed", row)
        made: dict[str, Any] = {**example("status"), "id": self._number()}
        made["context"] = body.get("context", "default")
        made |= {"state": body["state"], "description": body.get("description"), "target_url": None}
        self.statuses.append({**made, "sha": commit})
        return Answer(201, made)

    def _list_runs(self, commit: str, query: Mapping[str, str], **_: Any) -> Answer:
        rows = {
            row["name"]: row
            for row in self.runs
            if row["head_sha"] == commit and query.get("check_name", row["name"]) == row["name"]
        }
        return Answer(200, {"total_count": len(rows), "check_runs": list(rows.values())})

    def _get_run(self, ident: str, **_: Any) -> Answer:
        row = next((row for row in self.runs if row["id"] == int(ident)), None)
        return Answer(200, row) if row else error(404, "Not Found")

    def _create_run(self, body: dict[str, Any], **_: Any) -> Answer:
        if self.login is not None:
            return error(403, "You must authenticate via a GitHub App.")
        row = {**example("check-run"), "id": self._number(), "name": body["name"]}
        row |= {"head_sha": body["head_sha"], "conclusion": None, "completed_at": None}
        row["output"] = {**row["output"], "annotations_count": 0}
        self.annotations[row["id"]] = []
        return self._shaped(row, body, 201)

    def _update_run(self, ident: str, body: dict[str, Any], **_: Any) -> Answer:
        if self.login is not None:
            return error(403, "You must authenticate via a GitHub App.")
        row = next((row for row in self.runs if row["id"] == int(ident)), None)
        return self._shaped(row, body, 200) if row else error(404, "Not Found")

    def _shaped(self, row: dict[str, Any], body: dict[str, Any], status: int) -> Answer:
        output = body.get("output", {})
        given = output.get("annotations", [])
        if len(given) > _ANNOTATIONS:
            return error(422, "Invalid request.\n\nMore than 50 items were supplied.")
        if row not in self.runs:
            self.runs.append(row)
        row |= {key: body[key] for key in ("status", "conclusion", "external_id") if key in body}
        there = self.annotations[row["id"]]
        there += given
        texts = {key: output[key] for key in ("title", "summary", "text") if key in output}
        row["output"] = {**row["output"], **texts, "annotations_count": len(there)}
        return Answer(status, row)

    # ------------------------------------------------------------ rights

    def _get_protection(self, branch: str, **_: Any) -> Answer:
        if not self.may_see_protection:
            return error(404, "Not Found")
        if branch not in self.protection:
            return error(404, "Branch not protected")
        return Answer(200, self.protection[branch])

    def _get_rules(self, branch: str, **_: Any) -> Answer:
        if not self.may_see_rules:
            said = "Upgrade to GitHub Pro or make this repository public to enable this feature."
            return error(403, said)
        return Answer(200, self.rules.get(branch, []))


@functools.cache
def _examples() -> dict[str, Any]:
    return dict(json.loads(_EXAMPLES.read_bytes()))


def example(name: str) -> Any:
    """A copy of an answer that GitHub's description gives as an example."""
    return copy.deepcopy(_examples()[name])
