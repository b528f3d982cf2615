"""High and low waters by bisection; meant to follow `harbour.tides.table`, agreed with nobody."""

from harbour.tides.harmonic import Station


def slope(station: Station, minute: float, step: float = 0.5) -> float:
    """Rise of the water in metres a minute."""
    return (station.height(minute + step) - station.height(minute - step)) / (2 * step)


def turning_points(station: Station, first: int, last: int, every: int = 60) -> list[float]:
    """Minutes at which the water stands, to a hundredth."""
    found = []
    for start in range(first, last, every):
        low, high = float(start), float(min(start + every, last))
        if slope(station, low) * slope(station, high) >= 0:
            continue
        while high - low > 0.01:
            middle = (low + high) / 2
            if slope(station, low) * slope(station, middle) <= 0:
                high = middle
            else:
                low = middle
        found.append(round(low, 2))
    return found
