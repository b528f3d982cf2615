"""The families of variants, and which a platform tries in which order.

A family is a way to launch. Its variants stand in order of preference: the first is what a table
without a word about the device takes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels.variants import Variant

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.launching import Launcher

_HERE = "pytest_cockpit_gates.gemm.kernels"

NAIVE = Variant("naive", "naive", "naive.cl")


@dataclass(frozen=True, slots=True)
class Family:
    """One way to launch, and its variants.

    Parameters
    ----------
    name: as in `Variant.family`.
    launcher: `module:class` in this package, called with (device, variant, m, n, k); a name, for
        the variants are known where no OpenCL is.
    variants: in order of preference.
    """

    name: str
    launcher: str
    variants: tuple[Variant, ...]

    def launch(self, device: Any, variant: Variant, m: int, n: int, k: int) -> Launcher:
        """The launcher of one of its variants for one size."""
        module, _, name = self.launcher.partition(":")
        make: Callable[..., Launcher] = getattr(importlib.import_module(f"{_HERE}.{module}"), name)
        return make(device, variant, m, n, k)


def _portable(tm: int, tn: int) -> Variant:
    return Variant(f"portable-{tm}x{tn}", "portable", "portable.cl", {"TM": tm, "TN": tn})


_FAMILIES = {
    it.name: it
    for it in (
        Family("naive", "launching:Tiles", (NAIVE,)),
        Family("portable", "launching:Tiles", (_portable(4, 4), _portable(8, 8), _portable(4, 8))),
    )
}

_ORDER = {
    "pocl": ("portable", "naive"),
    "rusticl": ("portable", "naive"),
    "clover": ("portable", "naive"),
}
_ANYWHERE = ("portable", "naive")


def families(platform: str) -> tuple[Family, ...]:
    """The families that a platform can run, the preferred one first."""
    return tuple(_FAMILIES[name] for name in _ORDER.get(platform, _ANYWHERE))


def variants(platform: str) -> tuple[Variant, ...]:
    """The variants that a platform can run, the preferred one first."""
    return tuple(variant for family in families(platform) for variant in family.variants)


def family_of(variant: Variant) -> Family:
    """The family of a variant.

    Raises
    ------
    CockpitError: there is none of that name.
    """
    if variant.family not in _FAMILIES:
        raise CockpitError(f"gemm: {variant.id}: no family of kernels is called {variant.family}")
    return _FAMILIES[variant.family]


def by_id(platform: str, name: str) -> Variant:
    """The variant of that id among those of the platform.

    Raises
    ------
    CockpitError: there is none of that name.
    """
    for variant in variants(platform):
        if variant.id == name:
            return variant
    known = ", ".join(it.id for it in variants(platform))
    raise CockpitError(f"gemm: {platform}: no variant is called {name}; known: {known}")
