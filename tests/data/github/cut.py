"""Cut the operations that pytest-cockpit uses out of GitHub's OpenAPI description.

    npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz
    python tests/data/github/cut.py package/generated/api.github.com.json package/package.json

The description is MIT licensed (https://github.com/octokit/openapi). Prose is left out of it;
every schema stays as it is, but that null is added to the words that a nullable field may hold, as
GitHub sends it. `examples.json` has answers that the description gives as examples.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_REPO = "/repos/{owner}/{repo}"
WANTED: dict[str, tuple[str, ...]] = {
    "/user": ("get",),
    _REPO: ("get",),
    f"{_REPO}/branches/{{branch}}": ("get",),
    f"{_REPO}/branches/{{branch}}/protection": ("get",),
    f"{_REPO}/check-runs": ("post",),
    f"{_REPO}/check-runs/{{check_run_id}}": ("get", "patch"),
    f"{_REPO}/commits/{{ref}}/check-runs": ("get",),
    f"{_REPO}/commits/{{ref}}/statuses": ("get",),
    f"{_REPO}/issues/comments/{{comment_id}}": ("patch",),
    f"{_REPO}/issues/{{issue_number}}/comments": ("get", "post"),
    f"{_REPO}/issues/{{issue_number}}/labels": ("get", "post"),
    f"{_REPO}/labels": ("get", "post"),
    f"{_REPO}/pulls": ("get", "post"),
    f"{_REPO}/pulls/{{pull_number}}": ("get", "patch"),
    f"{_REPO}/rules/branches/{{branch}}": ("get",),
    f"{_REPO}/statuses/{{sha}}": ("post",),
}
EXAMPLES = (
    "branch-protection",
    "branch-with-protection",
    "check-run",
    "full-repository-default-response",
    "issue-comment",
    "label",
    "private-user-response-with-public-profile-information",
    "pull-request",
    "pull-request-simple-items",
    "repository-rule-items",
    "status",
)
_PROSE = {"description", "summary", "examples", "example", "externalDocs", "tags", "x-github"}
_MAPS = {
    "properties",
    "responses",
    "parameters",
    "schemas",
    "headers",
    "content",
    "patternProperties",
}


def cut(document: dict[str, Any], version: str) -> dict[str, Any]:
    """The description of the wanted operations alone, with what they refer to."""
    paths = {
        path: {method: _bare(document["paths"][path][method]) for method in methods}
        for path, methods in WANTED.items()
    }
    components: dict[str, dict[str, Any]] = {}
    queue: list[Any] = [paths]
    while queue:
        for reference in _references(queue.pop()):
            _, _, kind, name = reference.split("/")
            if name not in components.setdefault(kind, {}):
                components[kind][name] = _bare(document["components"][kind][name])
                queue.append(components[kind][name])
    return {
        "openapi": document["openapi"],
        "info": {
            "title": f"{document['info']['title']}, the part that is used here",
            "version": document["info"]["version"],
            "license": document["info"]["license"],
            "x-source": f"npm @octokit/openapi {version}, generated/api.github.com.json",
        },
        "servers": [{"url": "/"}],
        "paths": _described(paths),
        "components": {**components, "responses": _responses(components["responses"])},
    }


def examples(document: dict[str, Any]) -> dict[str, Any]:
    """Answers that the description itself gives as examples, by the name of their schema."""
    return {name: document["components"]["examples"][name]["value"] for name in EXAMPLES}


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []


def _bare(node: Any, *, names: bool = False) -> Any:
    """Without prose; below `properties` and its like a word is a name, not prose."""
    if isinstance(node, list):
        return [_bare(value) for value in node]
    if not isinstance(node, dict):
        return node
    bare = {
        key: _bare(value, names=key in _MAPS and not names)
        for key, value in node.items()
        if names or key not in _PROSE
    }
    if bare.get("nullable") is True and isinstance(bare.get("enum"), list):
        bare["enum"] = [*bare["enum"], *([] if None in bare["enum"] else [None])]
    return bare


def _described(paths: dict[str, Any]) -> dict[str, Any]:
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"] = _responses(operation["responses"])
    return paths


def _responses(responses: dict[str, Any]) -> dict[str, Any]:
    """Each with the description that OpenAPI demands, empty."""
    return {
        name: value if "$ref" in value else {**value, "description": ""}
        for name, value in responses.items()
    }


if __name__ == "__main__":
    source, package = (json.loads(Path(name).read_bytes()) for name in sys.argv[1:3])
    here = Path(__file__).parent
    for name, made in (
        ("openapi.json", cut(source, package["version"])),
        ("examples.json", examples(source)),
    ):
        text = json.dumps(made, sort_keys=True, separators=(",", ":"))
        (here / name).write_text(text + "\n", encoding="utf-8")
