"""What a build of llama-server understands: images, flags, and the findings about a list of arguments.

Source: https://github.com/ggml-org/llama.cpp/blob/b11434/common/arg.cpp (common_params_parse_ex).
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import Vendor

DEFAULT_BUILD: Final = 11434
"""The build that the built-in images are pinned to: outside of CVE-2026-107183, which ends at b11393."""

REGISTRY: Final = "ghcr.io/ggml-org/llama.cpp"
OLD_REGISTRY: Final = "ghcr.io/ggerganov/llama.cpp"

VULKAN: Final = "vulkan"

_VARIANTS: Final = {
    "cpu": "server",
    "nvidia": "server-cuda",
    "amd": "server-rocm",
    "amd-vulkan": "server-vulkan",
    "intel": "server-intel",
}
_BUILD: Final = re.compile(r"(?:^|[-_.])b([1-9][0-9]{3,5})(?:$|[-_.])")
_CPU_TAG: Final = re.compile(r"server(?:-b[0-9]+)?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Flag:
    """One option of llama-server.

    `negated` are the spellings that switch it off. `values` is how many arguments follow it. `since` and `until` are
    builds: earlier, or later, it is known to be absent; None where that is not known. `replacement` tells what to write
    after `until`. `owned` and `unsafe` tell why a spec may not, or should not, use it.
    """

    name: str
    aliases: tuple[str, ...]
    negated: tuple[str, ...]
    values: int
    integer: bool
    env: str
    since: int | None
    until: int | None
    replacement: str
    owned: str
    unsafe: str


@dataclass(frozen=True, slots=True)
class Flags:
    """The table of one build: spelling -> flag, every alias and negation included."""

    build: int
    by_name: Mapping[str, Flag]

    def find(self, spelling: str) -> Flag | None:
        """Return the flag of a spelling, as llama-server looks it up: `--ctx_size` is `--ctx-size`."""
        return self.by_name.get(_normal(spelling))


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the argument at `index`."""

    index: int
    code: str
    message: str
    severity: Severity


def table(data: Mapping[str, object]) -> Flags:
    """Return the flag table that the decoded data file describes."""
    rows = data["flags"]
    assert isinstance(rows, list)  # noqa: S101  # our own file, checked by a test
    flags = [_flag(row) for row in rows]
    by_name = {spelling: flag for flag in flags for spelling in (flag.name, *flag.aliases, *flag.negated)}
    return Flags(int(str(data["build"])), by_name)


def _flag(row: Mapping[str, object]) -> Flag:
    def text(key: str) -> str:
        return str(row.get(key, ""))

    def names(key: str) -> tuple[str, ...]:
        value = row.get(key, [])
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    def number(key: str) -> int | None:
        value = row.get(key)
        return value if isinstance(value, int) else None

    return Flag(
        name=text("name"),
        aliases=names("aliases"),
        negated=names("negated"),
        values=number("values") or 0,
        integer=row.get("integer") is True,
        env=text("env"),
        since=number("since"),
        until=number("until"),
        replacement=text("replacement"),
        owned=text("owned"),
        unsafe=text("unsafe"),
    )


def default_image(vendor: Vendor, runtime: str = "") -> str:
    """Return the pinned image for a vendor; `runtime` vulkan chooses the Vulkan build on AMD."""
    return f"{REGISTRY}:{_VARIANTS[image_key(vendor, runtime)]}-b{DEFAULT_BUILD}"


def image_key(vendor: Vendor, runtime: str = "") -> str:
    """Return the word that names a vendor's image in the fleet's `images`."""
    return "amd-vulkan" if vendor is Vendor.AMD and runtime == VULKAN else vendor.value


def tag_of(image: str) -> str:
    """Return an image's tag, "" when it has none (`host:5000/name` has none)."""
    name = image.partition("@")[0]
    return name.rpartition(":")[2] if ":" in name.rpartition("/")[2] else ""


def build_of(image: str) -> int | None:
    """Return the llama.cpp build that an image's tag tells: `server-cuda-b11434` -> 11434; None when it tells none."""
    match = _BUILD.search(tag_of(image))
    return int(match[1]) if match else None


def is_cpu_image(image: str) -> bool:
    """Tell whether an image is the project's own build without any GPU backend."""
    name = image.partition("@")[0]
    return name.startswith((f"{REGISTRY}:", f"{OLD_REGISTRY}:")) and _CPU_TAG.fullmatch(tag_of(image)) is not None


def is_pinned(image: str) -> bool:
    """Tell whether an image names a digest, or a tag other than latest."""
    return "@sha256:" in image or tag_of(image) not in {"", "latest"}


def parse_args(args: Sequence[str], flags: Flags) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the arguments as (canonical flag, its values), in order.

    Read as llama-server reads them: what follows a flag that takes a value is the value, whatever it looks like. A
    negation keeps its own meaning by its canonical spelling (`-nkvo` -> `--no-kv-offload`); use `canonical` to compare
    it with its flag. What is no flag stands as it is, without values.
    """
    parsed: list[tuple[str, tuple[str, ...]]] = []
    index = 0
    while index < len(args):
        flag = flags.find(args[index])
        count = flag.values if flag else 0
        parsed.append((_spelling(args[index], flag), tuple(args[index + 1 : index + 1 + count])))
        index += 1 + count
    return tuple(parsed)


def replaced(args: Sequence[str], flags: Flags, rendered: Sequence[str]) -> tuple[str, ...]:
    """Return those of the rendered flags that the arguments give, by whatever alias, or switch off."""
    given = {flag.name for name, _ in parse_args(args, flags) if (flag := flags.find(name))}
    return tuple(name for name in rendered if (flag := flags.find(name)) and flag.name in given)


def canonical(spelling: str, flags: Flags) -> str:
    """Return the flag's one name, also for a negation: `-ngl` -> `--n-gpu-layers`; the spelling itself when unknown."""
    flag = flags.find(spelling)
    return flag.name if flag else spelling


def _spelling(written: str, flag: Flag | None) -> str:
    if flag is None:
        return written
    if _normal(written) not in flag.negated:
        return flag.name
    return next(name for name in (*flag.negated, _normal(written)) if name.startswith("--"))


def _normal(spelling: str) -> str:
    return spelling.replace("_", "-") if spelling.startswith("--") else spelling


def lint(args: Sequence[str], flags: Flags, build: int | None) -> tuple[Finding, ...]:
    """Return what a llama-server of this build would refuse, or what the product keeps for itself, by index.

    None is a build that cannot be told: the arguments are read as the table's build, and what only another build would
    mind is a warning.
    """
    findings: list[Finding] = []
    seen: set[str] = set()
    index = 0
    while index < len(args):
        flag = flags.find(args[index])
        if flag is None:
            findings.append(_unknown(index, args[index], flags, build))
            index += 1 + _takes_along(args, index)
            continue
        findings += _about_flag(index, args[index], flag, build or flags.build)
        if flag.name in seen and flag.name != "--spec-type":
            findings.append(
                _warn(index, "flag-duplicate", f"{args[index]} is given twice; llama-server takes the last")
            )
        seen.add(flag.name)
        values = args[index + 1 : index + 1 + flag.values]
        findings += _about_values(index, args[index], flag, values, flags)
        index += 1 + flag.values
    return tuple(_softened(finding, build) for finding in findings)


def _takes_along(args: Sequence[str], index: int) -> int:
    """Return 1 when what follows an unknown flag is probably its value: one complaint is enough for both."""
    follows = args[index].startswith("-") and " " not in args[index] and "=" not in args[index]
    return int(follows and index + 1 < len(args) and not args[index + 1].startswith("-"))


def _softened(finding: Finding, build: int | None) -> Finding:
    if build is None and finding.code in {"flag-unknown", "flag-removed", "flag-too-new"}:
        return Finding(finding.index, finding.code, finding.message, Severity.WARNING)
    return finding


def _error(index: int, code: str, message: str) -> Finding:
    return Finding(index, code, message, Severity.ERROR)


def _warn(index: int, code: str, message: str) -> Finding:
    return Finding(index, code, message, Severity.WARNING)


def _unknown(index: int, arg: str, flags: Flags, build: int | None) -> Finding:
    name, equals, value = arg.partition("=")
    if equals and flags.find(name):
        return _error(index, "flag-equals", f"llama-server has no `{name}=…`; write two items, `{name}` and `{value}`")
    name, space, value = arg.strip().partition(" ")
    if space and flags.find(name):
        return _error(
            index, "flag-joined", f"one item holds a flag and its value; write two, `{name}` and `{value.strip()}`"
        )
    near = difflib.get_close_matches(_normal(arg), flags.by_name, 1, 0.75)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    what = "flag" if arg.startswith("-") else "argument"
    return _error(index, "flag-unknown", f"unknown {what} `{arg}` of llama-server b{build or flags.build}{hint}")


def _about_flag(index: int, arg: str, flag: Flag, build: int) -> list[Finding]:
    if flag.owned:
        return [_error(index, "flag-owned", f"`{arg}` is not for extraArgs: {flag.owned}")]
    if flag.name == "--slots" and _normal(arg) in flag.negated:
        return [_error(index, "flag-owned", f"`{arg}` is not for extraArgs: a pod could not tell when it is idle")]
    if flag.until is not None and build > flag.until:
        return [_error(index, "flag-removed", f"`{arg}` is gone from llama-server b{build}; use {flag.replacement}")]
    if flag.since is not None and build < flag.since:
        return [_error(index, "flag-too-new", f"llama-server b{build} does not know `{arg}` yet; use a newer image")]
    if flag.unsafe:
        return [_warn(index, "flag-unsafe", f"`{arg}`: {flag.unsafe}")]
    return []


def _about_values(index: int, arg: str, flag: Flag, values: Sequence[str], flags: Flags) -> list[Finding]:
    if len(values) < flag.values:
        return [_error(index, "flag-value", f"`{arg}` wants {_count(flag.values)} after it")]
    for offset, value in enumerate(values, 1):
        if flags.find(value) is not None:
            return [_error(index, "flag-value", f"`{arg}` wants a value, and would swallow `{value}`")]
        if flag.integer and not _INTEGER.fullmatch(value):
            return [_error(index + offset, "flag-value", f"`{arg}` wants a whole number, not `{value}`")]
    return []


def _count(values: int) -> str:
    return "a value" if values == 1 else f"{values} values"
