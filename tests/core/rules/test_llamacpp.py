import pytest

from reconciler import resources
from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import Vendor
from reconciler.core.rules import llamacpp

FLAGS = resources.flags()
BUILD = llamacpp.DEFAULT_BUILD


def codes(*args: str, build: int | None = BUILD) -> list[str]:
    return [finding.code for finding in llamacpp.lint(args, FLAGS, build)]


@pytest.mark.parametrize(
    ("image", "build"),
    [
        ("ghcr.io/ggml-org/llama.cpp:server-b11434", 11434),
        ("ghcr.io/ggml-org/llama.cpp:server-cuda13-b9500@sha256:00", 9500),
        ("host:5000/llama:b9999", 9999),
        ("host:5000/llama", None),
        ("llama:server-cuda", None),
        ("llama@sha256:b12345", None),
    ],
)
def test_a_tag_tells_its_build(image: str, build: int | None) -> None:
    assert llamacpp.build_of(image) == build


@pytest.mark.parametrize(
    ("vendor", "runtime", "tag"),
    [
        (Vendor.CPU, "", "server"),
        (Vendor.NVIDIA, "", "server-cuda"),
        (Vendor.AMD, "", "server-rocm"),
        (Vendor.AMD, "vulkan", "server-vulkan"),
        (Vendor.INTEL, "", "server-intel"),
    ],
)
def test_each_vendor_has_a_pinned_image(vendor: Vendor, runtime: str, tag: str) -> None:
    image = llamacpp.default_image(vendor, runtime)
    assert image == f"ghcr.io/ggml-org/llama.cpp:{tag}-b{BUILD}"
    assert llamacpp.is_pinned(image)


def test_only_a_gpu_image_is_no_cpu_image() -> None:
    assert llamacpp.is_cpu_image("ghcr.io/ggml-org/llama.cpp:server")
    assert not llamacpp.is_cpu_image("ghcr.io/ggml-org/llama.cpp:server-cuda-b11434")
    assert not llamacpp.is_cpu_image("registry.example.com/llama:server")


def test_aliases_are_one_flag() -> None:
    args = ["-c", "4096", "-ngl", "all", "-fa", "on", "-nkvo", "--ctx_size", "1"]
    assert llamacpp.parse_args(args, FLAGS) == (
        ("--ctx-size", ("4096",)),
        ("--n-gpu-layers", ("all",)),
        ("--flash-attn", ("on",)),
        ("--no-kv-offload", ()),
        ("--ctx-size", ("1",)),
    )


def test_a_negation_is_its_flag_by_another_name() -> None:
    assert llamacpp.canonical("-nkvo", FLAGS) == llamacpp.canonical("--no-kv-offload", FLAGS) == "--kv-offload"


def test_a_negative_number_is_a_value() -> None:
    assert llamacpp.parse_args(["--cache-ram", "-1"], FLAGS) == (("--cache-ram", ("-1",)),)
    assert codes("--cache-ram", "-1") == []


def test_a_flag_may_take_two_values() -> None:
    assert llamacpp.parse_args(["--control-vector-layer-range", "1", "2"], FLAGS)[0][1] == ("1", "2")
    assert codes("--control-vector-layer-range", "1") == ["flag-value"]


@pytest.mark.parametrize("args", [("--jinja",), ("-fa", "auto"), ("--temp", "-0.5"), ("--override-kv", "a=int:1"), ()])
def test_what_llama_server_takes_is_silent(args: tuple[str, ...]) -> None:
    assert codes(*args) == []


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("--ctx-size=4096",), "flag-equals"),
        (("--ctx-size 4096",), "flag-joined"),
        (("-c 4096",), "flag-joined"),
        (("--ctx-size",), "flag-value"),
        (("--ctx-size", "--jinja"), "flag-value"),
        (("--ctx-size", "4k"), "flag-value"),
        (("--ctx-sise",), "flag-unknown"),
        (("--port", "1"), "flag-owned"),
        (("-m", "x"), "flag-owned"),
        (("-hf", "a/b"), "flag-owned"),
        (("--api-key", "x"), "flag-owned"),
        (("--mlock",), "flag-removed"),
        (("--draft-max", "4"), "flag-removed"),
        (("-c", "1", "--ctx-size", "2"), "flag-duplicate"),
    ],
)
def test_what_llama_server_would_refuse_is_found(args: tuple[str, ...], code: str) -> None:
    assert code in codes(*args)


def test_a_removed_flag_is_told_what_to_write() -> None:
    assert "--load-mode" in llamacpp.lint(["--no-mmap"], FLAGS, BUILD)[0].message


def test_a_flag_belongs_to_builds() -> None:
    assert codes("--no-mmap", build=10000) == []
    assert codes("--load-mode", "none", build=10000) == ["flag-too-new"]


def test_a_build_in_doubt_is_not_complained_about() -> None:
    assert codes("--no-mmap", "--load-mode", "none", build=10870) == []


def test_a_build_that_cannot_be_told_gets_warnings() -> None:
    found = llamacpp.lint(["--mine", "--no-mmap"], FLAGS, None)
    assert [finding.severity for finding in found] == [Severity.WARNING, Severity.WARNING]


def test_a_misspelt_flag_is_told_the_right_one() -> None:
    assert "did you mean `--ctx-size`?" in llamacpp.lint(["--ctx-sise", "1"], FLAGS, BUILD)[0].message


def test_every_removed_flag_of_the_table_has_a_replacement() -> None:
    assert all(flag.replacement for flag in FLAGS.by_name.values() if flag.until is not None)


def test_no_spelling_is_two_flags() -> None:
    spellings = [name for flag in set(FLAGS.by_name.values()) for name in (flag.name, *flag.aliases, *flag.negated)]
    assert len(spellings) == len(set(spellings))
