"""What is wrong with a spec, and where."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error holds its service back, a warning asks for a change, a note tells what has no effect."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding. `line` and `column` count from 1; 0 where a whole file is meant.

    `pointer` is a JSON pointer into the document ("" for the document, or where there is none). `code` is the kind of
    problem, a stable lower-case word such as `unknown-field`, for machines and for the tests' fixtures.
    """

    path: str
    line: int
    column: int
    pointer: str
    code: str
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        pointer = f" ({self.pointer})" if self.pointer else ""
        return f"{where}: {self.severity}: {self.message}{pointer}"
