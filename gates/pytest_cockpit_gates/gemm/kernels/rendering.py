"""The templates of kernels: OpenCL C with repetitions that are unrolled.

A template is OpenCL C and two directives, each alone on its line:

    //@ for NAME in PARAMETER
    ...
    //@ end

The lines between them are repeated for NAME = 0 … PARAMETER - 1, where PARAMETER is a parameter of
the variant or a number; `@{NAME}` stands for its value. Repetitions may lie within each other.
Parameters are also there as macros, so that all arithmetic is left to the compiler.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_FOR = re.compile(r"//@ for ([a-z]+) in ([A-Z_]+|\d+)\Z")
_END = "//@ end"
_HOLE = re.compile(r"@\{([a-z]+)\}")


def render(template: str, parameters: Mapping[str, int]) -> str:
    """OpenCL C of a template with these parameters.

    Raises
    ------
    ValueError: a directive is none, is not closed, or names what is not there.
    """
    defines = [f"#define {name} {value}" for name, value in sorted(parameters.items())]
    lines = iter(template.splitlines())
    return "\n".join([*defines, *_block(lines, parameters, {}, nested=False), ""])


def _block(
    lines: Iterator[str],
    parameters: Mapping[str, int],
    values: Mapping[str, int],
    *,
    nested: bool,
) -> Iterator[str]:
    for line in lines:
        word = line.strip()
        if word == _END and nested:
            return
        if not word.startswith("//@"):
            yield _fill(line, values)
            continue
        found = _FOR.fullmatch(word)
        if found is None:
            raise ValueError(f"no directive of a template: {word}")
        name, count = found.groups()
        body = list(_body(lines))
        for value in range(_count(count, parameters)):
            inner = iter([*body, _END])
            yield from _block(inner, parameters, {**values, name: value}, nested=True)
    if nested:
        raise ValueError("a repetition in a template is not closed")


def _body(lines: Iterable[str]) -> Iterator[str]:
    """The lines up to the `end` that belongs to the `for` just read."""
    depth = 1
    for line in lines:
        word = line.strip()
        depth += 1 if word.startswith("//@ for") else -1 if word == _END else 0
        if not depth:
            return
        yield line
    raise ValueError("a repetition in a template is not closed")


def _count(word: str, parameters: Mapping[str, int]) -> int:
    if word.isdigit():
        return int(word)
    if word not in parameters:
        raise ValueError(f"a template repeats by the parameter {word}, which is not given")
    return parameters[word]


def _fill(line: str, values: Mapping[str, int]) -> str:
    def value(hole: re.Match[str]) -> str:
        if hole[1] not in values:
            raise ValueError(f"a template names {hole[1]}, which no repetition counts")
        return str(values[hole[1]])

    return _HOLE.sub(value, line)
