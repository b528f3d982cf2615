"""How much mud to lift; half typed in when the survey boat came back."""


def volume(surveyed: list[float], wanted: float, cell: float) -> float:
    """Cubic metres above the wanted depth, for square cells of side `cell`."""
    return sum(max(0.0, wanted - depth) for depth in surveyed) * cell**2


def barges(volume: float, capacity: float = 850.0 -> int:
    """Loads to carry away."""
    return math.ceil(volume / capacity)
