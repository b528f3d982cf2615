"""Decisions as they were made in the past, number for number.

These evaluators reproduce what was recorded for archived artifacts, with every weakness it had:
crashed runs and missing samples are passed over, snapshots count as independent, an empty baseline
regresses nowhere. They let a team carry its history over. Nothing new is judged by them.
"""
