"""The configuration: `[tool.cockpit]` of pyproject.toml, or cockpit.toml."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pytest_cockpit.api import CockpitError, Lane
from pytest_cockpit.records import days, schema, text, toml
from pytest_cockpit.records.schema import Problem, shown

PYPROJECT = "pyproject.toml"
COCKPIT = "cockpit.toml"

_NO_GATE = "not among gates; add it there, or remove its settings{}"
AnySettings = TypeVar("AnySettings")

_TABLES = (
    "lane",
    "rank",
    "batch",
    "burst",
    "seal",
    "forge",
    "calendar",
    "done",
    "waivers",
    "registry",
    "health",
    "scaffold",
    "sweep",
    "bench",
    "freeze",
)


@dataclass(frozen=True, slots=True)
class Rank:
    """What decides which files go first: three weights, and globs of critical lane paths."""

    import_frequency: float = 0.7
    recency: float = 0.2
    criticality: float = 0.1
    critical: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch takes: at most `size` files, of `modules` where any are named.

    `auto_size` takes as many as the history of past batches proposes, at most `size`.
    """

    size: int = 50
    modules: tuple[str, ...] = ()
    auto_size: bool = False


@dataclass(frozen=True, slots=True)
class Burst:
    """What a burst judges by at checkpoints alone: gates too slow for every batch."""

    checkpoint_only: tuple[str, ...] = ("coverage",)


@dataclass(frozen=True, slots=True)
class Seal:
    """What becomes of a green batch; `take` is `auto`, `always` or `never`."""

    branch_prefix: str = "cockpit/"
    remote: str = "origin"
    take: str = "auto"


@dataclass(frozen=True, slots=True)
class Forge:
    """Where pull requests are opened; what is empty is told from the remote and from HEAD."""

    kind: str = "auto"
    url: str = ""
    repository: str = ""
    base: str = ""
    draft: bool = True
    labels: tuple[str, ...] = ("promotion",)
    issue: int = 0
    context: str = "cockpit"


@dataclass(frozen=True, slots=True)
class Calendar:
    """On which days what may be promoted without a reason given."""

    timezone: str = "UTC"
    stabilisation: tuple[str, ...] = ("fri",)
    burst: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """When the migration is done: `lane_share` of the lane at its largest may remain."""

    lane_share: float = 0.1


@dataclass(frozen=True, slots=True)
class Waivers:
    """How long a finding may be tolerated."""

    max_days: int = 90


@dataclass(frozen=True, slots=True)
class Registry:
    """What is a module, and where what is generated from all of them goes."""

    manifests: tuple[str, ...] = ("**/module.manifest.json",)
    exclude: tuple[str, ...] = ()
    output: str = "docs/_generated"
    trends: str = "trends"


@dataclass(frozen=True, slots=True)
class Health:
    """The formula of a module's health: a named profile, or the weights of its inputs."""

    profile: str = "weighted"
    coverage: float = 0.3
    tests: float = 0.2
    contract: float = 0.15
    imports: float = 0.15
    documentation: float = 0.1
    benchmarks: float = 0.1


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What a module is given: the folder of a copier template, the shipped one where empty."""

    template: str = ""
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """How every module's own tests are run.

    `mode` is `joint` (one run, modules that clash apart) or `isolated`; `workers` of 0 are as many
    as there are cores; `failures` says whether a failing module makes the session fail or warn.
    """

    command: tuple[str, ...] = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    mode: str = "joint"
    workers: int = 0
    timeout_s: float = 1800.0
    failures: str = "fail"
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """How benchmarks are run, and which slowdown counts: more than the share `threshold`.

    `runs` processes measure a commit alone; `pairs` measure it beside another, 0 for as many as
    the number of benchmarks asks for. `failures` is what a module whose benchmarks cannot be run
    makes of the session: `fail` or `warn`.
    """

    command: tuple[str, ...] = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    paths: tuple[str, ...] = ("benchmarks/", "tests/benchmarks/")
    runs: int = 6
    pairs: int = 0
    timeout_s: float = 1800.0
    threshold: float = 0.05
    failures: str = "fail"


@dataclass(frozen=True, slots=True)
class Freeze:
    """What a production freeze is judged by, all gates where empty, and who may sign its tag."""

    gates: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a repository; `source` is the file they came from, if any."""

    source: Path | None = None
    gates: tuple[str, ...] = (
        "matriz",
        "coverage",
        "imports",
        "ledger",
        "guard",
        "quarantine",
    )
    artifacts: str = "artifacts"
    records: str = ".cockpit"
    pass_environment: tuple[str, ...] = ()
    lane: Lane = field(default_factory=Lane)
    rank: Rank = field(default_factory=Rank)
    batch: Batch = field(default_factory=Batch)
    burst: Burst = field(default_factory=Burst)
    seal: Seal = field(default_factory=Seal)
    forge: Forge = field(default_factory=Forge)
    calendar: Calendar = field(default_factory=Calendar)
    done: Done = field(default_factory=Done)
    waivers: Waivers = field(default_factory=Waivers)
    registry: Registry = field(default_factory=Registry)
    health: Health = field(default_factory=Health)
    scaffold: Scaffold = field(default_factory=Scaffold)
    sweep: Sweep = field(default_factory=Sweep)
    bench: Bench = field(default_factory=Bench)
    freeze: Freeze = field(default_factory=Freeze)
    gate: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def ledger(self) -> str:
        """Where the ledger of promotions is, relative to the repository's root."""
        named = self.gate.get("ledger", {}).get("path")
        return _folder(named) if named else f"{self.records}/promotions.ndjson"

    def digest(self) -> str:
        """SHA-256 of the settings, wherever they are written and in whatever order."""
        content = {
            item.name: getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.name != "source"
        }
        for name in _TABLES:
            content[name] = dataclasses.asdict(content[name])
        return text.sha256(text.canonical(content))

    def skip(self, gate: str) -> str | None:
        """The reason why `gate` is declared not applicable, or None."""
        reason: str | None = self.gate.get(gate, {}).get("skip")
        return reason


def load(root: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration of the repository at `root`, defaults where it says nothing.

    Parameters
    ----------
    overrides: `some.key=value`, each put in the place of what the file says.

    Raises
    ------
    CockpitError: it cannot be read or used; the text has one line for every error in it.
    """
    source, table = _table(root)
    if source is None and not overrides:
        return Config()
    for override in overrides:
        keys, value = toml.setting(override)
        table = _with(table, keys, value)
    problems = list(_problems(source, table))
    if problems:
        where = source.name if source else "no configuration file"
        where += " with --cockpit-set" if overrides else ""
        raise CockpitError("\n".join(_line(where, problem) for problem in problems))
    return _config(source, table)


def _with(table: Mapping[str, Any], keys: Sequence[str], value: Any) -> Mapping[str, Any]:
    """`table` with `value` at `keys`; a key that leads through no table is told by the schema."""
    first, *rest = keys
    inner = table.get(first)
    if rest:
        value = _with(inner if isinstance(inner, Mapping) else {}, rest, value)
    return {**table, first: value}


def _table(root: Path) -> tuple[Path | None, Mapping[str, Any]]:
    own = toml.read(root / COCKPIT)
    try:
        pyproject = toml.read(root / PYPROJECT)
    except CockpitError:
        # Somebody else's broken file is no reason to refuse one that says all there is to say.
        if own is None:
            raise
        return root / COCKPIT, own
    tool = (pyproject or {}).get("tool", {})
    if not isinstance(tool, Mapping) or not isinstance(tool.get("cockpit", {}), Mapping):
        raise CockpitError(f"{PYPROJECT}: tool.cockpit: expected a table; write [tool.cockpit]")
    if own is not None and "cockpit" in tool:
        raise CockpitError(
            f"{COCKPIT}: {PYPROJECT} has a table [tool.cockpit] as well; keep one of the two"
        )
    if own is not None:
        return root / COCKPIT, own
    return (root / PYPROJECT, tool["cockpit"]) if "cockpit" in tool else (None, {})


def _line(where: str, problem: Problem) -> str:
    keys = ("tool", "cockpit", *problem.path) if where == PYPROJECT else problem.path
    return f"{where}: {toml.dotted(keys) or '(top level)'}: {problem.message}"


def _problems(source: Path | None, table: Mapping[str, Any]) -> Iterator[Problem]:
    found = schema.problems(table, "config")
    broken = {problem.path for problem in found}
    found += [
        Problem(path, f"expected relative path with / and without .., got {fault}: {shown(value)}")
        for path, value in _paths(table)
        if path not in broken and (fault := _path_fault(value))
    ]
    yield from found
    if not found:
        yield from _contradictions(_config(source, table))


def _paths(table: Mapping[str, Any]) -> Iterator[tuple[text.Path, str]]:
    """Every setting that is a path or a glob, with the keys that lead to it."""
    single = (
        ("artifacts",),
        ("records",),
        ("lane", "path"),
        ("lane", "root"),
        ("gate", "ledger", "path"),
        ("registry", "output"),
        ("registry", "trends"),
        ("scaffold", "template"),
    )
    several = (
        ("lane", "source_roots"),
        ("lane", "exclude"),
        ("rank", "critical"),
        ("batch", "modules"),
        ("registry", "manifests"),
        ("registry", "exclude"),
        ("scaffold", "exclude"),
        ("sweep", "exclude"),
        ("bench", "paths"),
    )
    for keys in single:
        value = _at(table, keys)
        if isinstance(value, str):
            yield keys, value
    for keys in several:
        values = _at(table, keys)
        for index, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str):
                yield (*keys, index), value


def _at(table: Any, keys: Iterable[str]) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _path_fault(value: str) -> str:
    parts = value.split("/")
    faults = {
        "an absolute path": value.startswith("/"),
        "a Windows path": "\\" in value or (value[1:2] == ":" and value[0].isalpha()),
        "a path with ..": ".." in parts,
        "a path into .git": ".git" in (part.lower() for part in parts),
        "an unprintable character": not value.isprintable(),
    }
    return next((fault for fault, found in faults.items() if found), "")


def _contradictions(config: Config) -> Iterator[Problem]:
    places = (
        (("artifacts",), config.artifacts),
        (("records",), config.records),
        (("lane", "path"), config.lane.path),
    )
    for index, (keys, value) in enumerate(places):
        for others, other in places[:index]:
            if _within(value, other) or _within(other, value):
                yield Problem(
                    keys,
                    f"{shown(value)} and {'.'.join(others)} {shown(other)} must lie apart",
                )
    for keys, value in places:
        if _within(config.lane.root, value):
            yield Problem(
                ("lane", "root"),
                f"{shown(config.lane.root)} lies within {'.'.join(keys)} {shown(value)};"
                " choose a folder outside it",
            )
    for name, folder in (("lane.path", config.lane.path), ("artifacts", config.artifacts)):
        if _within(config.ledger, folder):
            yield Problem(
                ("gate", "ledger", "path"),
                f"{shown(config.ledger)} lies within {name} {shown(folder)}; choose another place",
            )
    yield from _no_weights(config)
    for name in config.gate:
        if name not in config.gates:
            yield Problem(("gate", name), _NO_GATE.format(schema.meant(name, config.gates)))
    yield from _no_days(config.calendar)


def _no_weights(config: Config) -> Iterator[Problem]:
    """Formulas that would weigh nothing."""
    tables = {"rank": ("critical",), "health": ("profile",)}
    for name, others in tables.items():
        weights = dataclasses.asdict(getattr(config, name))
        if not any(weight for key, weight in weights.items() if key not in others):
            yield Problem((name,), "all weights are 0; give one of them more")


def _no_days(calendar: Calendar) -> Iterator[Problem]:
    """What a calendar names that does not exist."""
    if days.zone(calendar.timezone) is None:
        yield Problem(
            ("calendar", "timezone"),
            f"{shown(calendar.timezone)} is no time zone known here; expected one such as "
            "Europe/Berlin, or UTC (pip install tzdata where the system has no zones)",
        )
    for index, holiday in enumerate(calendar.holidays):
        if days.day(holiday) is None:
            yield Problem(("calendar", "holidays", index), f"{shown(holiday)} is no day")


def _within(inner: str, outer: str) -> bool:
    # Case is ignored because some file systems ignore it.
    ours, theirs = PurePosixPath(inner.casefold()), PurePosixPath(outer.casefold())
    return ours.is_relative_to(theirs)


def _config(source: Path | None, table: Mapping[str, Any]) -> Config:
    top: dict[str, Any] = {
        key: table[key] for key in ("gates", "pass_environment", "gate") if key in table
    }
    top |= {key: _folder(table[key]) for key in ("artifacts", "records") if key in table}
    lane = dict(table.get("lane", {}))
    for key in ("path", "root"):
        if key in lane:
            lane[key] = _folder(lane[key])
    if "source_roots" in lane:
        lane["source_roots"] = tuple(_folder(value) for value in lane["source_roots"])
    if "aliases" in lane:
        lane["aliases"] = {key: tuple(value) for key, value in lane["aliases"].items()}
    return Config(
        source=source,
        lane=Lane(**_tuples(lane)),
        rank=_settings(Rank, table.get("rank", {})),
        batch=_settings(Batch, table.get("batch", {})),
        burst=_settings(Burst, table.get("burst", {})),
        seal=_settings(Seal, table.get("seal", {})),
        forge=_settings(Forge, table.get("forge", {})),
        calendar=_settings(Calendar, table.get("calendar", {})),
        done=_settings(Done, table.get("done", {})),
        waivers=_settings(Waivers, table.get("waivers", {})),
        registry=_settings(Registry, table.get("registry", {})),
        health=_settings(Health, table.get("health", {})),
        scaffold=_settings(Scaffold, table.get("scaffold", {})),
        sweep=_settings(Sweep, table.get("sweep", {})),
        bench=_settings(Bench, table.get("bench", {})),
        freeze=_settings(Freeze, table.get("freeze", {})),
        **_tuples(top),
    )


def _settings(kind: type[AnySettings], table: Mapping[str, Any]) -> AnySettings:
    """One table, whole numbers as the floats that they are meant as."""
    floats = {name for name, each in inspect.get_annotations(kind).items() if each == "float"}
    read = {key: float(value) if key in floats else value for key, value in table.items()}
    return kind(**_tuples(read))


def _folder(value: str) -> str:
    return PurePosixPath(value).as_posix()


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
