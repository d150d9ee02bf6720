"""The only reader of package data: schemas, flag tables. Each file is read once a process."""

import functools
import hashlib
import json
from importlib import resources as packages
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler import __version__
from reconciler.core import spec
from reconciler.core.rules import llamacpp

SCHEMAS: Final = ("model", "inferenceservice", "fleet", "llm")
_FLAGS: Final = "llamacpp-flags.json"


@functools.cache
def schemas() -> spec.Schemas:
    """Return the JSON Schemas of the specs, by name."""
    return spec.Schemas({name: _load(schema_file(f"{name}.json")) for name in SCHEMAS})


@functools.cache
def flags() -> llamacpp.Flags:
    """Return llama-server's flags."""
    return llamacpp.table(_load(packages.files("reconciler") / "data" / _FLAGS))


def schema_file(name: str) -> Traversable:
    """Return a published schema: from the wheel, else from the checkout that this package lies in."""
    packed = packages.files("reconciler") / "schemas" / name
    return packed if packed.is_file() else Path(__file__).resolve().parent.parent / "specs-schema" / name


@functools.cache
def version() -> str:
    """Return what a parsed file depends on beside its bytes: this package's version, its schemas and its tables."""
    names = [*(schema_file(f"{name}.json") for name in SCHEMAS), packages.files("reconciler") / "data" / _FLAGS]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in names))
    return f"{__version__}+{digest.hexdigest()[:16]}"


def notices() -> tuple[str, ...]:
    """Return what this installation lacks, in words, for the shell to say once. Empty when all is well."""
    if yaml.__with_libyaml__:
        return ()
    return ("PyYAML has no C loader here: reading specs takes about 15 times as long; install PyYAML's binary wheel",)


def _load(file: Traversable) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
