"""Water under the keel."""

from harbour.tides.harmonic import Station

SALT_WATER = 1.025


def squat(knots: float, block_coefficient: float = 0.7) -> float:
    """Metres a hull sinks deeper under way in open water (Barrass)."""
    return block_coefficient * knots**2 / 100


def under_keel(
    station: Station, minute: int, *, depth: float, draught: float, knots: float = 0.0
) -> float:
    """Metres between the keel and the bottom at a charted depth."""
    return depth + station.height(minute) - draught - squat(knots)


def fresh_water_draught(draught: float, density: float = 1.0) -> float:
    """Draught of the same ship in lighter water."""
    return draught * SALT_WATER / density
