"""SARIF 2.1.0: the problems of specs, for code scanning.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import hashlib
import json
from collections.abc import Sequence
from functools import singledispatch
from typing import Any, Final
from urllib.parse import quote

from reconciler import __version__
from reconciler.cli.answer import Difference, Validation
from reconciler.core.model.problem import Problem
from reconciler.core.spec.codes import CODES

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES: Final = {code: index for index, code in enumerate(sorted(CODES))}


@singledispatch
def render(value: Any) -> str:
    """Return the answer's problems as one SARIF run."""
    raise TypeError(f"{type(value).__name__} has no SARIF")


@render.register
def _validation(value: Validation) -> str:
    return _log(value.problems, {})


@render.register
def _difference(value: Difference) -> str:
    return _log(value.problems, {"planHash": value.plan_hash})


def _log(problems: Sequence[Problem], properties: dict[str, str]) -> str:
    driver = {
        "name": "llmkube",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [{"id": code, "shortDescription": {"text": CODES[code]}} for code in _RULES],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem) for problem in problems],
        **({"properties": properties} if properties else {}),
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _result(problem: Problem) -> Any:
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(problem.path)}}
    if problem.line:
        physical["region"] = {"startLine": problem.line, "startColumn": max(1, problem.column)}
    # the line is left out: a finding stays the same one when text above it moves
    print_ = hashlib.sha256(f"{problem.path} {problem.pointer} {problem.code}".encode()).hexdigest()[:32]
    return {
        "ruleId": problem.code,
        **({"ruleIndex": _RULES[problem.code]} if problem.code in _RULES else {}),
        "level": problem.severity.value,
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"llmkube/v1": print_},
    }
