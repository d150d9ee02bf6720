"""What the server's no means. A conflict is never an immutable field, and only a named field is replaced for."""

import re
from typing import Final

from reconciler.core.model.observed import Refusal, RefusalReason
from reconciler.core.rules import immutable
from reconciler.targets.cluster.api import ApiError

_WORDS: Final = re.compile(r"field is immutable|may not be (changed|updated)|is immutable|forbidden: updates? to")
_INDEX: Final = re.compile(r"\[(\d+)\]")


def read(kind: str, error: ApiError) -> Refusal:
    """Return the refusal of a dry-run apply. `recreatable` is not known yet, so False."""
    return Refusal(_reason(kind, error), _message(error), _immutable_paths(kind, error))


def _reason(kind: str, error: ApiError) -> RefusalReason:
    by_status = {
        403: RefusalReason.FORBIDDEN,
        404: RefusalReason.MISSING,
        409: RefusalReason.CONFLICT,
        400: RefusalReason.INVALID,
    }
    if error.status == 422:  # noqa: PLR2004  # invalid: the only status that an immutable field answers with
        return RefusalReason.IMMUTABLE if _immutable_paths(kind, error) else RefusalReason.INVALID
    return by_status.get(error.status, RefusalReason.OTHER)


def _immutable_paths(kind: str, error: ApiError) -> tuple[str, ...]:
    """Return the fields that the causes name, where every one of them is an immutable one."""
    if not error.causes or error.status != 422:  # noqa: PLR2004  # likewise
        return ()
    fields = tuple(cause.field for cause in error.causes)
    known = set(immutable.touched(kind, fields))
    told = {cause.field for cause in error.causes if _WORDS.search(cause.message)}
    # a PersistentVolumeClaim's whole spec is named, and a Job's template; both say so in words
    return fields if all(field in known or field in told for field in fields) else ()


def _message(error: ApiError) -> str:
    if not error.causes:
        return error.message.split("\n", maxsplit=1)[0][:500]
    return "; ".join(f"{cause.field}: {cause.message}" for cause in error.causes)[:500]
