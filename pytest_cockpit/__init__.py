"""Promotion, freeze, SLO and launch governance as pytest sessions."""

__version__ = "0.1.0"
