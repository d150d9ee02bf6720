"""The import law of DESIGN §3, as a table: which file may import what, of ours and of others."""

import ast
import fnmatch
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "reconciler"

CORE = "reconciler.core"
MODEL = f"{CORE}.model"
RULES = f"{CORE}.rules"
SHELL = (MODEL, "reconciler.errors", "reconciler.ports")

PURE = frozenset(
    {
        "base64",
        "bisect",
        "collections",
        "collections.abc",
        "contextlib",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "html",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "struct",
        "textwrap",
        "typing",
        "unicodedata",
        "urllib.parse",
    }
)
"""What the core may import of the standard library: no clock, file, network, log, process or randomness in it."""

IMPURE_NAMES = frozenset({"open", "print", "input", "eval", "exec", "breakpoint"})
IMPURE_ATTRIBUTES = frozenset({"now", "utcnow", "today", "fromtimestamp"})


@dataclass(frozen=True)
class Law:
    """Files (a glob below reconciler/) may import these modules of ours, with all below them, and these packages."""

    files: str
    ours: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


LAWS = (
    Law("__init__.py"),
    Law("__main__.py", ("reconciler.cli.main",)),
    Law("errors.py"),
    Law("cache.py"),
    Law("ports.py", (MODEL,)),
    Law("resources.py", (f"{CORE}.spec", f"{RULES}.llamacpp", f"{RULES}.scheduling"), ("yaml",)),
    Law("telemetry.py", (), ("loguru", "prometheus_client")),
    Law("settings.py", (f"{CORE}.model.policy",)),
    Law("ranges.py", (MODEL, "reconciler.errors"), ("urllib3",)),
    Law("pipeline.py", ("reconciler.cache", "reconciler.errors", "reconciler.ports", CORE)),
    Law("revisions.py", ("reconciler.pipeline", "reconciler.ports", CORE)),
    # the core: values, then rules, then pillars that do not know each other
    Law("core/__init__.py"),
    Law("core/model/*.py", (MODEL,)),
    Law("core/rules/yamltext.py", (MODEL,), ("yaml",)),
    Law("core/rules/adoption.py", (MODEL, f"{RULES}.fields", f"{RULES}.vocabulary")),
    Law("core/rules/merging.py", (MODEL, f"{RULES}.fields", f"{RULES}.quantities", f"{RULES}.vocabulary")),
    Law("core/rules/placement.py", (MODEL, f"{RULES}.quantities")),
    Law("core/rules/sharding.py", (MODEL, f"{RULES}.memory")),
    Law("core/rules/memory.py", (MODEL, f"{RULES}.gguf")),
    Law("core/rules/*.py", (MODEL, f"{RULES}.vocabulary")),
    Law("core/spec/*.py", (MODEL, RULES, f"{CORE}.spec"), ("jsonschema", "jsonschema_rs", "yaml")),
    Law("core/manifests/*.py", (MODEL, RULES, f"{CORE}.manifests")),
    Law("core/plan.py", (MODEL, RULES, f"{CORE}.manifests")),
    Law("core/diff.py", (MODEL, RULES)),
    Law("core/effect.py", (MODEL, RULES)),
    Law("core/guard.py", (MODEL, RULES)),
    Law("core/review.py", (MODEL, RULES)),
    Law("core/health.py", (MODEL, RULES)),
    Law("core/report/*.py", (MODEL, RULES, f"{CORE}.report")),
    # the shells
    Law("repository/git.py", (*SHELL, "reconciler.repository"), ("git",)),
    Law("repository/*.py", (*SHELL, "reconciler.repository")),
    Law("targets/__init__.py"),
    Law("targets/folder.py", (*SHELL, RULES), ("yaml",)),
    Law("targets/cluster/*.py", (*SHELL, RULES, "reconciler.targets.cluster"), ("kubernetes", "urllib3", "yaml")),
    # the top
    Law(
        "daemon/*.py",
        ("reconciler.daemon", "reconciler.errors", "reconciler.ports", "reconciler.telemetry"),
        ("apscheduler", "loguru", "prometheus_client"),
    ),
    Law("cli/output/sarif.py", (MODEL, "reconciler.cli.answer", f"{CORE}.spec.codes")),
    Law("cli/output/*.py", (MODEL, RULES, "reconciler.cli.answer", "reconciler.cli.output"), ("click",)),
    Law("cli/*.py", ("reconciler",), ("click", "loguru", "rich")),
)


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _law(path: Path) -> Law | None:
    return next((law for law in LAWS if fnmatch.fnmatchcase(_name(path), law.files)), None)


def _is_module(dotted: str) -> bool:
    path = ROOT / Path(*dotted.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file() or path.is_dir()


def _imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}: relative import"
            module = node.module or ""
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                yield whole if module.startswith("reconciler") and _is_module(whole) else module


def _within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in allowed)


def _breaks(path: Path, law: Law) -> list[str]:
    found = []
    core = _name(path).startswith("core/")
    for module in _imports(path):
        top = module.partition(".")[0]
        if top == "reconciler":
            # a bare `import reconciler` gives the version and nothing else
            ok = module == "reconciler" or _within(module, law.ours)
        elif top in sys.stdlib_module_names:
            ok = not core or module in PURE
        else:
            ok = _within(module, law.others)
        if not ok:
            found.append(module)
    return found


@pytest.mark.parametrize("path", _files(), ids=_name)
def test_a_file_imports_only_what_the_table_lets_it(path: Path) -> None:
    law = _law(path)
    assert law is not None, f"{_name(path)} is in no line of the table; say there what it may import"
    assert not (broken := _breaks(path, law)), f"{_name(path)} may not import {', '.join(broken)}"


def test_every_line_of_the_table_that_names_a_folder_is_used() -> None:
    names = [_name(path) for path in _files()]
    planned = {"settings.py", "ranges.py", "core/rules/memory.py"}
    unused = [law.files for law in LAWS if not any(fnmatch.fnmatchcase(name, law.files) for name in names)]
    assert set(unused) <= planned


@pytest.mark.parametrize(("package", "home"), [("git", "repository/"), ("kubernetes", "targets/cluster/")])
def test_a_heavy_client_has_one_home(package: str, home: str) -> None:
    users = {_name(path) for path in _files() if any(_within(module, (package,)) for module in _imports(path))}
    assert users
    assert all(user.startswith(home) for user in users)


@pytest.mark.parametrize("path", [path for path in _files() if _name(path).startswith("core/")], ids=_name)
def test_the_core_asks_nothing_of_the_world(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            assert not (isinstance(function, ast.Name) and function.id in IMPURE_NAMES), ast.unparse(node)
            assert not (isinstance(function, ast.Attribute) and function.attr in IMPURE_ATTRIBUTES), ast.unparse(node)


@pytest.mark.parametrize("path", _files(), ids=_name)
def test_modules_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            words = ast.get_docstring(node, clean=False)
            length = (node.end_lineno or 0) - node.lineno + 1 - (words.count("\n") + 1 if words else 0)
            assert length < 40, f"{node.name} has {length} lines"


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = ("apscheduler", "git", "jsonschema", "jsonschema_rs", "kubernetes", "loguru", "rich", "yaml")
    program = f"import sys, reconciler.cli.main; print(*(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
