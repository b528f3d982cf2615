"""The rules of the policy."""

from __future__ import annotations

from pytest_cockpit.api import Rule

BUNDLE = "matriz.policy-bundle"
CHECKSUM = "matriz.policy-checksum"
MISSING = "matriz.policy-missing"
ENGINE = "matriz.policy-engine"
COMPILE = "matriz.policy-compile"
QUERY = "matriz.policy-query"
DEFAULT = "matriz.policy-default"
MEMBERSHIP = "matriz.policy-membership"
NEVER = "matriz.policy-never-true"
NAME = "matriz.policy-name"
INPUT = "matriz.policy-input"
IMPURE = "matriz.policy-impure"
TEST = "matriz.policy-test"
SHADOWED = "matriz.policy-test-shadowed"
OPA = "matriz.policy-opa"
RULES_COVERED = "matriz.policy-coverage"
FILE = "matriz.authz-file"
CASE = "matriz.authz-case"
MODULE = "matriz.authz-module"
CONTRACT = "matriz.authz-contract"
DECISION = "matriz.authz-decision"
UNDEFINED = "matriz.authz-undefined"
EVALUATION = "matriz.authz-evaluation"
DECISIONS_COVERED = "matriz.authz-coverage"

RULES = (
    Rule(BUNDLE, "Every file of the policy can be read, and is a file of its folder."),
    Rule(CHECKSUM, "The policy is, to the byte and the file, the one whose digest is stated."),
    Rule(MISSING, "Where there are AuthZ cases or a configured bundle there is a policy."),
    Rule(ENGINE, "The policy can be evaluated here, in time and without a crash."),
    Rule(COMPILE, "The evaluator takes every file of the policy."),
    Rule(QUERY, "The decision that is asked for is a rule of the policy, and one alone."),
    Rule(DEFAULT, "The decision has a default, so that it is never undefined."),
    Rule(MEMBERSHIP, "`in` is not asked of an object, whose values it tests, for a key."),
    Rule(NEVER, "No rule's conditions contradict each other."),
    Rule(NAME, "Every name in a body is bound there, above its use, or is a rule or an import."),
    Rule(INPUT, "What the policy reads of its input, some case provides."),
    Rule(IMPURE, "The decision depends on its input alone: on no network, clock or chance."),
    Rule(TEST, "Every unit test of the policy passes."),
    Rule(SHADOWED, "Every unit test runs, under a name of its own."),
    Rule(OPA, "OPA, where it is installed, decides the same."),
    Rule(RULES_COVERED, "Cases and unit tests reach the policy's rules."),
    Rule(FILE, "A file of AuthZ cases is plain YAML of the known shape."),
    Rule(CASE, "An AuthZ case says what is expected, of a tier that agrees with its number."),
    Rule(MODULE, "AuthZ cases are of a module that has a contract."),
    Rule(CONTRACT, "An AuthZ case speaks of scopes and functions that the contract has."),
    Rule(DECISION, "The policy decides every AuthZ case as expected."),
    Rule(UNDEFINED, "The policy decides every AuthZ case at all."),
    Rule(EVALUATION, "An AuthZ case is decided with true or false, without an error."),
    Rule(DECISIONS_COVERED, "Cases show every function and tier both allowed and denied."),
)
