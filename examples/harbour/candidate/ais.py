"""Position reports as ships broadcast them (AIS, six bits to a sign)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """A position report of class A."""

    mmsi: int
    knots: float | None
    longitude: float
    latitude: float


def bits(payload: str) -> str:
    """The bits behind the armour."""
    values = [ord(sign) - 48 for sign in payload]
    values = [value - 8 if value > 40 else value for value in values]
    if any(not 0 <= value < 64 for value in values):
        raise ValueError(f"{payload!r} holds a sign outside the armour")
    return "".join(f"{value:06b}" for value in values)


def number(field: str, *, signed: bool = False) -> int:
    """Value of a field; two's complement where it has a sign."""
    value = int(field, 2)
    return value - (1 << len(field)) if signed and field[0] == "1" else value


def decode(payload: str) -> Report:
    """Read a message of type 1, 2 or 3."""
    field = bits(payload)
    kind = number(field[:6])
    if kind not in (1, 2, 3):
        raise ValueError(f"message of type {kind}, a position report expected")
    speed = number(field[50:60])
    return Report(
        mmsi=number(field[8:38]),
        knots=None if speed == 1023 else speed / 10,
        longitude=number(field[61:89], signed=True) / 600_000,
        latitude=number(field[89:116], signed=True) / 600_000,
    )
