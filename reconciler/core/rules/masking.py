"""Objects without their secrets, for whoever prints one: reports and diffs. Equal secrets give equal masks."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from reconciler.core.model.objects import JsonObject

MASK: Final = "***"
"""One mask for all: it tells neither the length nor the hash of what it hides, since short secrets can be guessed."""

_SECRET_NAME: Final = re.compile(r"TOKEN|KEY|SECRET|PASSWORD", re.IGNORECASE)

_SECRET_FLAGS: Final = frozenset({"--api-key", "--hf-token", "-hft"})
"""llama-server's flags whose argument is a secret. A file's name (`--api-key-file`) is none."""

_STEP: Final = re.compile(r"([^.\[\]]+)(?:\[([^\]]*)\])?")
"""One step of a field's path: its name, and the label of a list's item."""

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def mask(manifest: JsonObject) -> JsonObject:
    """Return the object with its secrets masked; the object itself stays as it is.

    Masked are: a Secret's `data` and `stringData`; the literal value of an env variable whose name has TOKEN, KEY,
    SECRET or PASSWORD in it; annotations with such a name, and kubectl's last-applied one; the argument of
    llama-server's secret flags.
    """
    masked: JsonObject = _walk(manifest)
    if manifest.get("kind") == "Secret":
        masked = {**masked, **{name: _hidden(masked[name]) for name in ("data", "stringData") if masked.get(name)}}
    return masked


def arguments(given: list[Any]) -> list[Any]:
    """Return a command line with the arguments of secret flags masked, `--flag value` and `--flag=value` alike."""
    shown: list[Any] = []
    secret = False
    for argument in given:
        flag, equals, _ = argument.partition("=") if isinstance(argument, str) else ("", "", "")
        if secret:
            shown.append(MASK)
        elif equals and flag in _SECRET_FLAGS:
            shown.append(f"{flag}={MASK}")
        else:
            shown.append(_walk(argument))
        secret = not secret and argument in _SECRET_FLAGS if isinstance(argument, str) else False
    return shown


def value(path: str, found: object) -> object:
    """Return one field's value without secrets, as a diff shows it; `path` is written as rules.fields writes it."""
    if found is None:
        return None
    parts = _STEP.findall(path)
    names = [name for name, _ in parts]
    last, item = parts[-1] if parts else ("", "")
    if _LAST_APPLIED in path or item.partition("#")[0] in _SECRET_FLAGS:
        return MASK
    annotation = path.partition("annotations.")[2]
    if annotation and _SECRET_NAME.search(annotation):
        return MASK
    inside = next((label for name, label in parts if name == "env" and label), "")
    if inside and (_SECRET_NAME.search(inside) or inside.isdigit()) and last in {"env", "value"}:
        # variables whose names are not unique go by their place, which does not tell what they hold
        return {**found, "value": MASK} if isinstance(found, Mapping) and "value" in found else MASK
    mask_field = _FIELDS.get(last) if not item else None
    return mask_field(found) if mask_field and names else _walk(found)


def _hidden(values: Any) -> Any:
    return dict.fromkeys(values, MASK) if isinstance(values, Mapping) else MASK


def _walk(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _FIELDS.get(name, _walk)(below) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(item) for item in value]
    return value


def _env(variables: Any) -> Any:
    return [_variable(found) for found in variables] if isinstance(variables, list | tuple) else _walk(variables)


def _variable(found: Any) -> Any:
    if isinstance(found, Mapping) and "value" in found and _SECRET_NAME.search(str(found.get("name", ""))):
        return {**found, "value": MASK}
    return _walk(found)


def _command(given: Any) -> Any:
    return arguments(list(given)) if isinstance(given, list | tuple) else _walk(given)


def _annotations(found: Any) -> Any:
    shown = _walk(found)
    if not isinstance(shown, dict):
        return shown
    return {name: MASK if name == _LAST_APPLIED or _SECRET_NAME.search(name) else said for name, said in shown.items()}


_FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "args": _command,
    "command": _command,
    "env": _env,
    "annotations": _annotations,
}
