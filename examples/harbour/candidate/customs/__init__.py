"""Duty, and what is declared."""

from candidate.customs.codes import Code
from candidate.customs.declaration import Declaration, Line
from candidate.customs.duty import duty_on

__all__ = ["Code", "Declaration", "Line", "duty_on"]
