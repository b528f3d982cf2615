"""A variant: one template of a kernel with one set of parameters."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pytest_cockpit_gates.gemm.kernels.rendering import render


@dataclass(frozen=True)
class Variant:
    """One way to multiply.

    Parameters
    ----------
    id: names it for good; the same id is always the same text within a release.
    family: which launcher runs it.
    source: file name of the template in `sources/`.
    parameters: macros of the template, tile sizes mostly.
    """

    id: str
    family: str
    source: str
    parameters: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    def text(self) -> str:
        """The OpenCL C that is compiled."""
        return _rendered(self.source, tuple(sorted(self.parameters.items())))

    @property
    def sha256(self) -> str:
        """Digest of that text."""
        return hashlib.sha256(self.text().encode()).hexdigest()


@functools.cache
def _rendered(source: str, parameters: tuple[tuple[str, int], ...]) -> str:
    folder = importlib.resources.files("pytest_cockpit_gates.gemm.kernels") / "sources"
    return render((folder / source).read_text(encoding="utf-8"), dict(parameters))
