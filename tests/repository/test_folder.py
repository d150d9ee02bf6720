import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.core.model.source import EXECUTABLE, REGULAR, SYMLINK, Report
from reconciler.errors import SourceError, UsageError
from reconciler.repository.folder import HASH_LIMIT_BYTES, FolderSource, blob_id


def write(folder: Path, **files: bytes) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(source: FolderSource) -> list[str]:
    return [entry.path for entry in source.snapshot().entries]


def test_a_folder_lists_its_files_in_path_order_with_gits_ids(tmp_path: Path) -> None:
    write(tmp_path, b__llm_yaml=b"hello\n", a_yaml=b"")
    (tmp_path / "a.yaml").chmod(0o755)
    source = FolderSource([str(tmp_path)])
    snapshot = source.snapshot()
    assert (snapshot.url, snapshot.branch, snapshot.revision) == (str(tmp_path), "", "")
    assert [(entry.path, entry.blob, entry.size, entry.mode) for entry in snapshot.entries] == [
        ("a.yaml", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", 0, EXECUTABLE),
        ("b/llm.yaml", "ce013625030ba8dba906f756967f9e9ca394464a", 6, REGULAR),
    ]
    assert source.read(snapshot.entries[1:]) == {"ce013625030ba8dba906f756967f9e9ca394464a": b"hello\n"}


def test_files_are_named_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a__llm_yaml=b"1", b__x_yaml=b"2")
    monkeypatch.chdir(tmp_path)
    assert names(FolderSource(["b", "a/llm.yaml", "b/x.yaml"])) == ["a/llm.yaml", "b/x.yaml"]


def test_the_working_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, llm_yaml=b"1")
    monkeypatch.chdir(tmp_path)
    assert names(FolderSource()) == ["llm.yaml"]


def test_links_are_listed_and_never_followed(tmp_path: Path) -> None:
    write(tmp_path, specs__llm_yaml=b"1")
    (tmp_path / "specs" / "file").symlink_to("/etc/passwd")
    (tmp_path / "specs" / "folder").symlink_to(tmp_path)
    (tmp_path / "specs" / "dangling").symlink_to("nowhere")
    entries = FolderSource([str(tmp_path / "specs")]).snapshot().entries
    assert {entry.path: entry.mode for entry in entries} == {
        "dangling": SYMLINK,
        "file": SYMLINK,
        "folder": SYMLINK,
        "llm.yaml": REGULAR,
    }


def test_a_folder_that_was_asked_for_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, specs__llm_yaml=b"1")
    (tmp_path / "link").symlink_to("specs")
    assert names(FolderSource([str(tmp_path / "link")])) == ["llm.yaml"]


def test_what_tools_keep_beside_the_specs_is_not_walked(tmp_path: Path) -> None:
    write(tmp_path, llm_yaml=b"1", env__pyvenv_cfg=b"", env__lib__x_yaml=b"4")
    for name in (".git", ".venv", ".github", "node_modules"):
        write(tmp_path / name, llm_yaml=b"x")
    assert names(FolderSource([str(tmp_path)])) == [".github/llm.yaml", "llm.yaml"]


def test_a_huge_file_is_listed_with_its_size_and_not_read(tmp_path: Path) -> None:
    with (tmp_path / "llm.yaml").open("wb") as file:
        file.truncate(50_000_000)
    (entry,) = FolderSource([str(tmp_path)]).snapshot().entries
    assert entry.size == 50_000_000 > HASH_LIMIT_BYTES
    assert len(entry.blob) == 40


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s.yaml"))
        assert names(FolderSource([str(tmp_path)])) == []


def test_an_odd_name_is_printable(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.yaml")).write_bytes(b"1")
    assert names(FolderSource([str(tmp_path)])) == [r"\xff\n.yaml"]


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: no such file or folder"):
        FolderSource([str(tmp_path / "nowhere")]).snapshot()


def test_a_file_that_vanishes_before_it_is_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, llm_yaml=b"1")
    source = FolderSource([str(tmp_path)])
    entries = source.snapshot().entries
    (tmp_path / "llm.yaml").unlink()
    with pytest.raises(SourceError, match=r"llm\.yaml: cannot be read: No such file"):
        source.read(entries)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything: for this block it is nobody. Another user stays who they are."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, llm_yaml=b"1")
    (tmp_path / "llm.yaml").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above it are closed to nobody
    with as_nobody(), pytest.raises(SourceError, match=r"llm\.yaml: cannot be read: Permission denied"):
        FolderSource().snapshot()


def test_a_folder_has_no_history_and_takes_no_report(tmp_path: Path) -> None:
    source = FolderSource([str(tmp_path)])
    assert source.commits("", "") == ()
    assert source.previous() is None
    assert "no branch for reports" in source.publish(Report({}, "x")).error


def test_the_id_is_gits() -> None:
    assert blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
