"""What a template gives for one module: paths and contents, in memory.

Jinja renders by itself what copier would. Copier parses a template again for every module (70 ms
of CPU against 0.4 ms), writes files, and needs a library under the GPL; tests hold what comes out
here against what copier makes of it. Jinja runs in its sandbox, and what is said of a module is
never taken for a template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import globs
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.text import one_line
from pytest_cockpit.scaffolding.marks import marked
from pytest_cockpit.scaffolding.template import Template

if TYPE_CHECKING:
    import jinja2

Facts = Mapping[str, Any]
_Text = Callable[[Facts], str]

LONGEST = 16_000_000
"""Bytes of the longest file that is rendered."""

_TYPED = frozenset({"bool", "float", "int", "json", "yaml"})
_ANSWERS = ".copier-answers.yml"


class Renderer:
    """A template, parsed.

    Raises
    ------
    CockpitError: of a file that is no template, and of what goes wrong with a module.
    """

    def __init__(self, template: Template) -> None:
        self.template = template
        self._environment = _environment(template)
        self._exclude = [self._parsed("_exclude", item) for item in template.exclude]
        self._defaults = {
            key: self._default(key, question) for key, question in template.questions.items()
        }
        self._files = list(self._read())

    def render(self, facts: Facts) -> dict[str, bytes]:
        """Content by path below the module, each with the line that marks it.

        A path any part of which comes out empty is left out, as copier does it.
        """
        known = self._answered(facts)
        excluded = [pattern for item in self._exclude if (pattern := item(known))]
        found: dict[str, bytes] = {}
        for name, parts, content in self._files:
            rendered = [part(known) for part in parts]
            if not all(rendered) or rendered == [_ANSWERS]:
                continue
            path = self._safe(name, "/".join(rendered))
            if globs.matches(path, map(_anchored, excluded)):
                continue
            if path in found:
                raise CockpitError(
                    f"{self._at(name)}: {path!r} comes of another file too; rename it"
                )
            found[path] = marked(
                path, content if isinstance(content, bytes) else self._bytes(name, content(known))
            )
        return found

    def _read(self) -> Iterator[tuple[str, list[_Text], bytes | _Text]]:
        suffix = self.template.suffix
        for name, data in self.template.files.items():
            is_template = name.endswith(suffix)
            if not is_template and f"{name}{suffix}" in self.template.files:
                continue
            target = name.removesuffix(suffix) if is_template else name
            parts = [self._parsed(name, part) for part in target.split("/")]
            yield (
                name,
                parts,
                self._parsed(name, _decoded(self._at(name), data)) if is_template else data,
            )

    def _parsed(self, name: str, source: str) -> _Text:
        with self._told(name):
            code = self._environment.from_string(source)

        def render(facts: Facts) -> str:
            with self._told(name):
                return code.render(facts)

        return render

    def _default(self, key: str, question: Any) -> Callable[[Facts], Any]:
        """What gives a question's default; a text may be a template of what is known already."""
        kind = question.get("type", "yaml") if isinstance(question, dict) else "str"
        value = question.get("default") if isinstance(question, dict) else question
        if isinstance(question, dict) and "default" not in question:
            where = f"{self.template.where}: {one_line(key)}"
            raise CockpitError(f"{where}: nobody is asked here; give the question a default")
        if not isinstance(value, str):
            return lambda _: value
        text = self._parsed(key, value)
        return (lambda facts: self._typed(key, text(facts))) if kind in _TYPED else text

    def _typed(self, key: str, text: str) -> Any:
        import yaml

        try:
            return yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            said = one_line(str(error))[:200]
            raise CockpitError(
                f"{self._at(key)}: default is not YAML ({said}); correct it"
            ) from error

    def _answered(self, facts: Facts) -> dict[str, Any]:
        known: dict[str, Any] = {"_copier_conf": {"answers_file": _ANSWERS}, **facts}
        for key, default in self._defaults.items():
            if key not in known:
                known[key] = default(known)
        return known

    def _safe(self, name: str, path: str) -> str:
        """The path, where it leads to a file below the module and nowhere else."""
        for part in path.split("/"):
            plain = part.lower().partition(":")[0].rstrip(" .")
            if part in {"", ".", ".."} or not part.isprintable() or plain in {".git", "git~1"}:
                raise CockpitError(
                    f"{self._at(name)}: its path comes out as {one_line(path)[:200]!r}, which is "
                    "no path below a module; correct it"
                )
        return path

    def _bytes(self, name: str, text: str) -> bytes:
        data = printable(text).encode()
        if len(data) > LONGEST:
            raise CockpitError(f"{self._at(name)}: gives more than {LONGEST:,} bytes; shorten it")
        return data

    def _at(self, name: str) -> str:
        return printable(f"{self.template.where}: {one_line(name)}")

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except CockpitError:
            raise
        except Exception as error:
            # An expression of a template may raise anything.
            line = getattr(error, "lineno", None)
            where = f"{self._at(name)}:{line}" if line else self._at(name)
            said = one_line(printable(str(error)))[:200].rstrip(".") or type(error).__name__
            raise CockpitError(f"{where}: {said}; correct the template") from error


def each(renderer: Renderer, told: Iterable[tuple[str, Facts]]) -> list[dict[str, bytes]]:
    """What a template gives for each of some modules, told by their paths."""
    found = []
    for path, facts in told:
        try:
            found.append(renderer.render(facts))
        except CockpitError as error:
            raise CockpitError(f"{error} (for module {one_line(printable(path))})") from error
    return found


def _environment(template: Template) -> jinja2.Environment:
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def source(name: str) -> str | None:
        data = template.files.get(name)
        return None if data is None else _decoded(f"{template.where}: {name}", data)

    options = {"keep_trailing_newline": True, **template.envops}
    return ImmutableSandboxedEnvironment(
        loader=FunctionLoader(source),
        undefined=StrictUndefined,
        # A module is told as text, and most of it is code or Markdown.
        autoescape=False,
        **options,
    )


def _decoded(where: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CockpitError(f"{printable(where)}: not UTF-8; convert it") from error


def _anchored(pattern: str) -> str:
    """A pattern of a .gitignore as a glob from the top."""
    return pattern if "/" in pattern.rstrip("/") else f"**/{pattern}"
