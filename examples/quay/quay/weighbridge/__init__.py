"""What a container weighs, by law and by the scale."""

from __future__ import annotations

TOLERANCE = 0.05


def verified(declared_kg: float, measured_kg: float) -> bool:
    """Whether a container may be loaded: its declared mass is near enough to what it weighs."""
    if declared_kg <= 0:
        return False
    return abs(measured_kg - declared_kg) <= TOLERANCE * declared_kg


def axle_load(gross_kg: float, axles: int) -> float:
    """The load on each axle of a truck."""
    if axles < 2:
        raise ValueError("a truck has two axles or more")
    return gross_kg / axles
