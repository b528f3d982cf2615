"""The families of variants, and which a platform tries in which order.

A family is a way to launch. Its variants stand in order of preference: the first is what a table
without a word about the device takes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit_gates.gemm.kernels import texels
from pytest_cockpit_gates.gemm.kernels.variants import Variant

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.launching import Launcher

_HERE = "pytest_cockpit_gates.gemm.kernels"

# Named, for a driver that chooses the groups itself may compile again for each size.
_GROUP = {"WX": 8, "WY": 8}
NAIVE = Variant("naive", "naive", "naive.cl", _GROUP)

Fits = Callable[[JSON, Variant, int, int, int], bool]


def _anything(info: JSON, variant: Variant, m: int, n: int, k: int) -> bool:
    return True


def _no_gpu(info: JSON, variant: Variant, m: int, n: int, k: int) -> bool:
    return info.get("type") != "gpu"


def _no_cpu(info: JSON, variant: Variant, m: int, n: int, k: int) -> bool:
    return info.get("type") != "cpu"


@dataclass(frozen=True, slots=True)
class Family:
    """One way to launch, and its variants.

    Parameters
    ----------
    name: as in `Variant.family`.
    launcher: `module:class` in this package, called with (device, variant, m, n, k); a name, for
        the variants are known where no OpenCL is.
    variants: in order of preference.
    fits: whether one of its variants is of use on a device, as `Device.info` describes it, for one
        size; called with (info, variant, m, n, k).
    """

    name: str
    launcher: str
    variants: tuple[Variant, ...]
    fits: Fits = _anything

    def launch(self, device: Any, variant: Variant, m: int, n: int, k: int) -> Launcher:
        """The launcher of one of its variants for one size."""
        module, _, name = self.launcher.partition(":")
        make: Callable[..., Launcher] = getattr(importlib.import_module(f"{_HERE}.{module}"), name)
        return make(device, variant, m, n, k)


def _portable(tm: int, tn: int) -> Variant:
    sizes = {"TM": tm, "TN": tn, **_GROUP}
    return Variant(f"portable-{tm}x{tn}", "portable", "portable.cl", sizes)


def _panels(mr: int, nv: int, vw: int, *, fused: bool = False) -> Variant:
    sizes = {"MR": mr, "NV": nv, "VW": vw, "KC": 384, "ROWS": 192, "COLS": 256}
    name = f"panels-{mr}x{nv * vw}-v{vw}{'-fma' if fused else ''}"
    return Variant(name, "panels", "panels.cl", {**sizes, "FUSED": int(fused)})


def _gpu(tm: int, tn: int, wx: int, wy: int, kt: int) -> Variant:
    sizes = {"TM": tm, "TN": tn, "WX": wx, "WY": wy, "KT": kt}
    return Variant(f"gpu-{wy * tm}x{wx * tn}-{wx * wy}-k{kt}", "gpu", "gpu.cl", sizes)


def _texels(rows: int, wide: int, step: int, *, buffers: bool) -> Variant:
    sizes = {"ROWS": rows, "TEXELS": wide, "STEP": step, "BUFFERS": int(buffers)}
    kind = "texel-buffers" if buffers else "texel-images"
    name = f"{kind}-{rows}x{texels.TEXEL * wide}-k{texels.TEXEL * step}"
    return Variant(name, kind, "llvmpipe_texels.cl", sizes)


_FAMILIES = {
    it.name: it
    for it in (
        # Tiles with v8 fit 16 registers of 256 bits, those with v16 32 registers of 512. Those
        # that are not fused give the bits that drivers without a fused instruction give.
        Family(
            "panels",
            "panels:Panels",
            (
                _panels(6, 2, 8, fused=True),
                _panels(6, 4, 16, fused=True),
                _panels(8, 3, 16, fused=True),
                _panels(12, 2, 16, fused=True),
                _panels(6, 2, 8),
                _panels(6, 4, 16),
            ),
            _no_gpu,
        ),
        Family(
            "gpu",
            "launching:Tiles",
            (
                _gpu(8, 8, 16, 16, 16),
                _gpu(8, 8, 16, 16, 8),
                _gpu(4, 4, 16, 16, 16),
                _gpu(8, 4, 16, 16, 16),
                _gpu(8, 8, 8, 8, 16),
            ),
            _no_cpu,
        ),
        # For llvmpipe of Mesa: images of buffers, and where there are none of those, images.
        Family(
            "texel-buffers",
            "mesa:Texels",
            tuple(_texels(*it, buffers=True) for it in ((14, 4, 2), (12, 4, 2), (8, 4, 2))),
            texels.fit,
        ),
        Family(
            "texel-images",
            "mesa:Texels",
            tuple(_texels(*it, buffers=False) for it in ((28, 4, 2), (24, 4, 2), (16, 4, 2))),
            texels.fit,
        ),
        Family("naive", "launching:Tiles", (NAIVE,)),
        Family("portable", "launching:Tiles", (_portable(4, 4), _portable(8, 8), _portable(4, 8))),
    )
}

_ORDER = {
    "pocl": ("panels", "gpu", "portable", "naive"),
    "rusticl": ("portable", "gpu", "texel-buffers", "naive"),
    "clover": ("portable", "gpu", "texel-images", "naive"),
}
_ANYWHERE = ("gpu", "panels", "portable", "naive")


def families(platform: str) -> tuple[Family, ...]:
    """The families of a platform, the preferred one first; which fit is a matter of the device."""
    return tuple(_FAMILIES[name] for name in _ORDER.get(platform, _ANYWHERE))


def variants(platform: str) -> tuple[Variant, ...]:
    """The variants of a platform, the preferred one first."""
    return tuple(variant for family in families(platform) for variant in family.variants)


def fitting(info: JSON, m: int, n: int, k: int) -> tuple[Variant, ...]:
    """Those that are of use on a device, as `Device.info` describes it, for one size."""
    return tuple(it for it in variants(info["platform"]) if family_of(it).fits(info, it, m, n, k))


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
