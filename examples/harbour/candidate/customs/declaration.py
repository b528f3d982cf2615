"""What a forwarder declares, held against what the ship landed."""

from dataclasses import dataclass

from harbour.cargo.manifest import Manifest
from harbour.money import shares

from . import codes
from .duty import duty_on


@dataclass(frozen=True)
class Line:
    """Goods of one code: kilograms and value in cents."""

    code: str
    mass: int
    value: int


@dataclass(frozen=True)
class Declaration:
    """All lines of one forwarder."""

    lines: tuple[Line, ...]

    def duty(self) -> int:
        """Cents to pay."""
        return sum(duty_on(line.code, line.value) for line in self.lines)

    def freight(self, total: int) -> dict[str, int]:
        """The ship's freight split over the lines by mass."""
        parts = shares(total, [line.mass for line in self.lines])
        return {
            str(codes.Code.parse(line.code)): part
            for line, part in zip(self.lines, parts, strict=True)
        }

    def differences(self, manifest: Manifest) -> dict[str, int]:
        """Kilograms landed beyond (or short of) what is declared, for each code."""
        landed = manifest.by_contents()
        landed.subtract({line.code: line.mass for line in self.lines})
        return {code: mass for code, mass in sorted(landed.items()) if mass}
