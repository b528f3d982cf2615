"""The rules about telemetry."""

from __future__ import annotations

from pytest_cockpit.api import Rule

DECLARATION = "matriz.telemetry-declaration"
NAME = "matriz.telemetry-name"
UNIT = "matriz.telemetry-unit"
VERSION = "matriz.telemetry-semconv-version"
DEPRECATED = "matriz.telemetry-deprecated"
CONVENTION = "matriz.telemetry-semconv-metric"
SMOKE = "matriz.telemetry-smoke"
REQUIRED = "matriz.telemetry-smoke-missing"
EVIDENCE = "matriz.telemetry-evidence"
SPAN = "matriz.telemetry-span"
ATTRIBUTE = "matriz.telemetry-attribute"
METRIC = "matriz.telemetry-metric"
UNDECLARED = "matriz.telemetry-undeclared"
UNENDED = "matriz.telemetry-unended"
FAILED = "matriz.telemetry-span-error"
REFUSED = "matriz.telemetry-refused"
IDS = "matriz.telemetry-ids"

RULES = (
    Rule(DECLARATION, "What a contract says of telemetry can be read."),
    Rule(NAME, "Declared names are names by the OpenTelemetry specification, and used once."),
    Rule(UNIT, "Declared units are UCUM units."),
    Rule(VERSION, "The version of the semantic conventions is one, and is known here."),
    Rule(DEPRECATED, "No name is one that the semantic conventions have given up."),
    Rule(CONVENTION, "A metric of the semantic conventions has their unit and instrument."),
    Rule(SMOKE, "A module's smoke can be started, and ends well and in time."),
    Rule(REQUIRED, "A module that must have a smoke has one, and a smoke has a module."),
    Rule(EVIDENCE, "What a smoke emits can be seen, all of it."),
    Rule(SPAN, "A declared span is emitted."),
    Rule(ATTRIBUTE, "A declared attribute is on every span or metric of the name, and not empty."),
    Rule(METRIC, "A declared metric is emitted, with its unit and by its instrument."),
    Rule(UNDECLARED, "What is emitted is declared."),
    Rule(UNENDED, "A span that was started is ended."),
    Rule(FAILED, "No span of a smoke ends in an error or records an exception."),
    Rule(REFUSED, "The SDK takes what the code hands to it."),
    Rule(IDS, "Trace context keeps the W3C's rules."),
)
