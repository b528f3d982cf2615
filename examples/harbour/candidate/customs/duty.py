"""Rates of duty."""

from candidate.customs.codes import Code
from harbour.money import percent

# The longest prefix that fits decides.
RATES = {
    "08": "8.8",
    "0803": "16.0",
    "09": "0",
    "27": "0",
    "64": "17.0",
    "87": "10.0",
    "8712": "14.0",
}
OTHERS = "4.2"


def rate(code: Code) -> str:
    """Percent of the value."""
    fitting = [prefix for prefix in RATES if code.within(prefix)]
    return RATES[max(fitting, key=len)] if fitting else OTHERS


def duty_on(code: str, value: int) -> int:
    """Cents of duty on goods worth `value` cents."""
    if value < 0:
        raise ValueError(f"{code}: a value cannot be negative")
    return percent(value, rate(Code.parse(code)))
