"""Who lies where, and when."""

from .plan import Allocation, allocate
from .slots import QUAYS, Berth

__all__ = ["QUAYS", "Allocation", "Berth", "allocate"]
