"""Documents against the schemas shipped with the package: every problem, in words."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import Unfit, one_line, plain
from pytest_cockpit.records.wording import Problem, explain, meant, shown

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["Problem", "load", "meant", "problems", "problems_by", "shown"]

_SHOWN_MESSAGE = 200


def problems(data: Any, schema: str) -> list[Problem]:
    """All that is wrong with `data` by the shipped schema of that name; [] when it is valid."""
    return _problems(data, *_validators(_source(schema)))


def problems_by(data: Any, schema: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong with `data` by a schema given as a document, such as a gate's own.

    Raises
    ------
    CockpitError: `schema` is no JSON Schema, or refers to one elsewhere.
    """
    try:
        validators = _validators(json.dumps(plain(schema), sort_keys=True))
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise CockpitError(f"no usable JSON Schema: {one_line(reason)[:_SHOWN_MESSAGE]}") from error
    return _problems(data, *validators)


def load(name: str) -> dict[str, Any]:
    """The shipped schema of that name."""
    schema: dict[str, Any] = json.loads(_source(name))
    return schema


@functools.cache
def _source(name: str) -> str:
    folder = importlib.resources.files("pytest_cockpit") / "schemas"
    return (folder / f"{name}.json").read_text(encoding="utf-8")


@functools.cache
def _validators(source: str) -> tuple[jsonschema_rs.Draft202012Validator, Mapping[str, Any]]:
    import jsonschema_rs

    schema = json.loads(source)
    judge = jsonschema_rs.Draft202012Validator(schema, validate_formats=True, retriever=_refuse)
    return judge, schema


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is elsewhere, and nothing is fetched")


def _problems(
    data: Any, judge: jsonschema_rs.Draft202012Validator, schema: Mapping[str, Any]
) -> list[Problem]:
    try:
        data = plain(data)
    except Unfit as error:
        return [Problem(error.path, error.reason)]
    if judge.is_valid(data):
        return []
    found = set(explain(schema, data))
    if not found:
        # The two differ in corners such as formats. The fast one judges, so where the slow one
        # sees nothing the words are the fast one's too.
        found = {
            Problem(tuple(error.instance_path), one_line(error.message)[:_SHOWN_MESSAGE])
            for error in judge.iter_errors(data)
        }
    return sorted(found, key=_order)


def _order(problem: Problem) -> tuple[tuple[tuple[int, str], ...], str]:
    numbered = ((part, "") if isinstance(part, int) else (0, part) for part in problem.path)
    return tuple(numbered), problem.message
