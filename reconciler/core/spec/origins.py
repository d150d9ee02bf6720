"""Where a model's files lie: every way that a Model can say it, as URLs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from reconciler.core.model.objects import JsonObject
from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import Fetch, ModelFile, ModelSource
from reconciler.core.spec.drafts import Finding, Path

HUB: Final = "https://huggingface.co"
_SOURCE: Final[Path] = ("spec", "source")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUB_PAGE: Final = re.compile(r"/([^/]+/[^/]+)/(resolve|blob|raw)/([^/]+)/(.+)")
_SHARD: Final = re.compile(r"(.*)-([0-9]{5})-of-([0-9]{5})\.gguf")
_MOST_SHARDS: Final = 100
_CLAIM: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_BAD_TEXT: Final = re.compile(r"[\s\x00-\x1f\x7f\"'`\\]")


class _RefusedError(Exception):
    """The source cannot be served; the finding says why."""

    def __init__(self, code: str, message: str, path: Path = _SOURCE) -> None:
        super().__init__(message)
        self.finding = Finding(path, code, message)


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder to which file names are added, and the file that the source itself names ("" when it names none).

    `encoded`: file names are percent-encoded already, as their author's URL has them.
    """

    fetch: Fetch
    base: str
    file: str
    query: str = ""
    revision: str = ""
    claim: str = ""
    encoded: bool = False
    notes: tuple[Finding, ...] = ()


def read(spec: JsonObject) -> tuple[ModelSource | None, tuple[Finding, ...]]:
    """Return a Model's source with all its files, and what is to be said about it; None when it cannot be served."""
    try:
        place = _place(spec["source"])
        chosen = _files(place, tuple(spec.get("files", ())))
        projector = _projector(place, spec.get("mmproj", ""))
        files = tuple(_file(place, name) for name in chosen)
        _distinct((*files, projector) if projector else files)
    except _RefusedError as error:
        return None, (error.finding,)
    first = ModelFile(files[0].url, files[0].name, str(spec.get("sha256", "")).lower())
    secret = spec.get("sourceSecretRef", {}).get("name", "")
    source = ModelSource(place.fetch, (first, *files[1:]), projector, place.revision, secret, place.claim)
    return source, (*place.notes, *_remarks(first))


def _remarks(first: ModelFile) -> tuple[Finding, ...]:
    if first.name.lower().endswith(".gguf"):
        return ()
    message = f"`{first.name}` does not end in .gguf: llama.cpp reads nothing else"
    return (Finding(_SOURCE, "source-suffix", message, Severity.WARNING),)


def _place(source: Any) -> _Place:
    if not isinstance(source, str):
        hub = source["huggingFace"]
        return _hub(hub["repo"], hub.get("revision", "main"), hub["filename"])
    if _BAD_TEXT.search(source):
        raise _RefusedError("bad-source", "a source holds no spaces, quotes, backslashes or control characters")
    scheme, separator, rest = source.partition("://")
    if not separator:
        return _bare(source)
    match scheme.lower():
        case "http" | "https":
            return _http(source)
        case "hf":
            return _hub_path(rest)
        case "s3":
            return _bucket(rest)
        case "pvc":
            return _claim(rest)
        case "file":
            raise _refused_path()
    raise _RefusedError("bad-source", f"`{scheme}://` is not read; write https://, hf://, s3:// or pvc://")


def _refused_path() -> _RefusedError:
    message = "a path of the node's disk is not served; use pvc://claim/path or https://"
    return _RefusedError("refused-value", message)


def _bare(source: str) -> _Place:
    if source.startswith("/"):
        raise _refused_path()
    if _REPOSITORY.fullmatch(source):
        return _hub(source, "main", "")
    if source.count("/") > 1 and source.endswith(".gguf"):
        return _hub_path(source)
    message = (
        f"`{source}` is no source; write https://…/model.gguf, hf://organisation/repository/model.gguf or huggingFace"
    )
    raise _RefusedError("bad-source", message)


def _hub_path(rest: str) -> _Place:
    parts = rest.split("/", 2)
    if len(parts) < 2:  # noqa: PLR2004  # organisation and repository
        raise _RefusedError("bad-source", "write hf://organisation/repository/file.gguf")
    repository, _, revision = parts[1].partition("@")
    if not _REPOSITORY.fullmatch(f"{parts[0]}/{repository}"):
        raise _RefusedError("bad-source", "write hf://organisation/repository/file.gguf")
    return _hub(f"{parts[0]}/{repository}", revision or "main", parts[2] if len(parts) > 2 else "")  # noqa: PLR2004


def _hub(repository: str, revision: str, file: str) -> _Place:
    base = f"{HUB}/{repository}/resolve/{quote(revision, safe='')}/"
    return _Place(Fetch.HTTP, base, _relative(file, _SOURCE) if file else "", revision=revision)


def _http(source: str) -> _Place:
    try:
        url = urlsplit(source)
        host, _ = url.hostname, url.port
    except ValueError as error:  # brackets without an address, a port that is no number
        raise _RefusedError("bad-source", f"`{source}` is no URL; write https://host/path/model.gguf") from error
    if not host:
        raise _RefusedError("bad-source", f"`{source}` names no host")
    if url.username or url.password:
        message = "a user name or password must not stand in git: put a token into a Secret, name it in sourceSecretRef"
        raise _RefusedError("secret-in-source", message)
    notes: tuple[Finding, ...] = ()
    if url.scheme == "http":
        message = "plain http can be changed on its way; use https, or give sha256"
        notes = (Finding(_SOURCE, "plain-http", message, Severity.NOTE),)
    page = _HUB_PAGE.fullmatch(url.path) if host == "huggingface.co" else None
    if page and page[2] != "resolve":
        raise _RefusedError("bad-source", f"this is a web page; write {HUB}/{page[1]}/resolve/{page[3]}/{page[4]}")
    folder, _, name = url.path.rpartition("/")
    if not unquote(name):
        raise _RefusedError("bad-source", "the URL names no file")
    revision = unquote(page[3]) if page else ""
    base = f"{url.scheme}://{url.netloc}{folder}/"
    return _Place(Fetch.HTTP, base, name, url.query, revision, encoded=True, notes=notes)


def _bucket(rest: str) -> _Place:
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise _RefusedError("bad-source", "write s3://bucket/key")
    folder, _, name = key.rpartition("/") if key.endswith(".gguf") else (key.strip("/"), "", "")
    return _Place(Fetch.S3, f"s3://{bucket}/{folder}{'/' if folder else ''}", _relative(name, _SOURCE) if name else "")


def _claim(rest: str) -> _Place:
    claim, _, path = rest.partition("/")
    if not _CLAIM.fullmatch(claim) or not path:
        raise _RefusedError("bad-source", "write pvc://claim/path/model.gguf")
    folder, _, name = _relative(path, _SOURCE).rpartition("/")
    return _Place(Fetch.CLAIM, f"{folder}/" if folder else "", name, claim=claim)


def _relative(path: str, where: Path) -> str:
    """Return the path; it must stay in its folder."""
    parts = path.split("/")
    if not path or any(part in {"", ".", ".."} for part in parts) or _BAD_TEXT.search(path):
        raise _RefusedError("bad-source", f"`{path}` must be a relative path without `..`", where)
    if any(sign in path for sign in "*?["):
        raise _RefusedError("bad-source", f"`{path}` is a pattern; write each file", where)
    return path


def _files(place: _Place, files: Sequence[str]) -> tuple[str, ...]:
    where: Path = ("spec", "files")
    listable = place.fetch is Fetch.S3 or place.base.startswith(HUB)
    if files and not listable:
        raise _RefusedError("bad-source", "files go with a Hugging Face repository or an s3:// folder", where)
    if files and place.file:
        raise _RefusedError("bad-source", "the source names a file already; leave files out, or name the folder", where)
    if files:
        return tuple(_relative(name, (*where, index)) for index, name in enumerate(files))
    if not place.file:
        raise _RefusedError("bad-source", "which file? list it in files, or end the source with it")
    return _shards(place.file, place)


def _shards(file: str, place: _Place) -> tuple[str, ...]:
    """Return a split model's files: llama-server is given the first and opens the others itself."""
    shard = _SHARD.fullmatch(file)
    if not shard or place.query:
        return (file,)
    if int(shard[2]) != 1:
        raise _RefusedError(
            "bad-source", f"a split model is named by its first file, {shard[1]}-00001-of-{shard[3]}.gguf"
        )
    count = int(shard[3])
    if not 1 <= count <= _MOST_SHARDS:
        raise _RefusedError("bad-source", f"a split model has at most {_MOST_SHARDS} files")
    return tuple(f"{shard[1]}-{number:05}-of-{shard[3]}.gguf" for number in range(1, count + 1))


def _projector(place: _Place, mmproj: str) -> ModelFile | None:
    where: Path = ("spec", "mmproj")
    if not mmproj:
        return None
    if mmproj.startswith(("https://", "http://")):
        try:
            other = _http(mmproj)
        except _RefusedError as error:
            raise _RefusedError(error.finding.code, error.finding.message, where) from error
        return _file(other, other.file)
    if "://" in mmproj or mmproj.startswith("/"):
        raise _RefusedError("bad-source", "write the projector's path beside the model, or an https:// URL", where)
    return _file(place, _relative(mmproj, where))


def _file(place: _Place, name: str) -> ModelFile:
    base_name = name.rpartition("/")[2]
    if place.encoded:
        base_name = unquote(base_name)
    if base_name in {"", ".", ".."} or "/" in base_name or _BAD_TEXT.search(base_name):
        raise _RefusedError(
            "bad-source", f"`{base_name}` is no file name; use letters, digits, dots, dashes and underscores"
        )
    path = quote(name, safe="/") if place.fetch is Fetch.HTTP and not place.encoded else name
    return ModelFile(f"{place.base}{path}{'?' + place.query if place.query else ''}", base_name)


def _distinct(files: Sequence[ModelFile]) -> None:
    seen: set[str] = set()
    for file in files:
        if file.name in seen:
            raise _RefusedError("bad-source", f"two files would both be called `{file.name}`", ("spec", "files"))
        seen.add(file.name)
