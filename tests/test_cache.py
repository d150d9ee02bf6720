from reconciler.cache import Cache


def fail() -> str:
    raise AssertionError("made a second time")


def test_a_blob_is_made_once() -> None:
    cache: Cache[str] = Cache("1")
    assert cache.get("blob", "llm.yaml", lambda: "made") == "made"
    assert cache.get("blob", "llm.yaml", fail) == "made"


def test_the_same_blob_at_another_path_is_another_value() -> None:
    cache: Cache[str] = Cache("1")
    cache.get("blob", "a/llm.yaml", lambda: "a")
    assert cache.get("blob", "b/llm.yaml", lambda: "b") == "b"


def test_what_was_not_asked_for_the_longest_is_forgotten() -> None:
    cache: Cache[str] = Cache("1", limit=2)
    for blob in ("a", "b", "a", "c"):
        cache.get(blob, "", lambda: "x")
    assert [cache.holds(blob, "") for blob in "abc"] == [True, False, True]


def test_another_version_remembers_nothing() -> None:
    cache: Cache[str] = Cache("1")
    cache.get("blob", "", lambda: "old")
    cache.version = "2"
    assert not cache.holds("blob", "")
