from pathlib import Path
from typing import Any

import pytest

from reconciler import resources
from reconciler.core import spec
from reconciler.core.model.objects import ServiceId
from reconciler.core.model.problem import Problem
from reconciler.core.model.spec import Invalid, Origin, Parsed, SplitMode

DATA = Path(__file__).parents[2] / "data"
API = "apiVersion: inference.llmkube.dev/v1alpha1\n"


def model(name: str = "m", more: str = "") -> str:
    return f"---\n{API}kind: Model\nmetadata: {{name: {name}}}\nspec:\n  source: https://e.x/m.gguf\n{more}"


def service(name: str = "s", ref: str = "m", more: str = "") -> str:
    return f"---\n{API}kind: InferenceService\nmetadata: {{name: {name}}}\nspec:\n  modelRef: {ref}\n{more}"


def link(files: dict[str, str], refused: tuple[Problem, ...] = (), **options: Any) -> Parsed:
    chosen = spec.Options(**options)
    parsed = [spec.parse_file(path, text.encode(), resources.schemas(), chosen) for path, text in files.items()]
    return spec.link(parsed, chosen, resources.flags(), refused)


def codes(parsed: Parsed) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in parsed.problems]


def names(parsed: Parsed) -> list[str]:
    return [item.id.name for item in parsed.services]


def test_the_manifests_of_the_release_notes_are_read_byte_for_byte() -> None:
    files = {path.name: path.read_text() for path in sorted((DATA / "release-notes").glob("*.yaml"))}
    parsed = link(files)
    assert (codes(parsed), parsed.complete, parsed.files) == (
        [("llama-13b.yaml", "context-size"), ("llama-70b.yaml", "context-size")],
        True,
        4,
    )
    assert {item.id.name: item.gpu.count for item in parsed.services if item.gpu} == {"llama-13b": 2, "llama-70b": 4}
    assert {item.gpu.split_mode for item in parsed.services if item.gpu} == {SplitMode.LAYER}


def test_services_are_sorted_and_linked_across_files() -> None:
    parsed = link({"b/llm.yaml": service("z") + service("a"), "a/llm.yaml": model()})
    assert names(parsed) == ["a", "z"]
    assert {item.model.origin for item in parsed.services} == {Origin("a/llm.yaml", 2)}


def test_one_bad_file_holds_back_only_its_own_services() -> None:
    bad = service("bad") + service("neighbour", more="  replica: 1\n")
    parsed = link({"bad.yaml": bad, "good.yaml": model() + service("good")})
    assert names(parsed) == ["good"]
    assert [item.id.name for item in parsed.invalid] == ["bad", "neighbour"]
    assert (parsed.complete, parsed.incomplete_reason) == (False, "1 error in bad.yaml")


def test_what_is_invalid_is_told_with_the_place_of_its_document() -> None:
    parsed = link({"llm.yaml": model() + service("s", "nobody")})
    assert parsed.invalid == (Invalid(ServiceId("default", "s"), Origin("llm.yaml", 8)),)


def test_a_service_waits_for_a_model_with_errors_in_another_file() -> None:
    parsed = link({"m.yaml": model(more="  gpuCuont: 1\n"), "s.yaml": service() + model("n") + service("t", "n")})
    assert codes(parsed) == [("m.yaml", "unknown-field"), ("s.yaml", "model-held-back")]
    assert names(parsed) == ["t"]


def test_a_service_waits_for_a_model_whose_file_is_held_back() -> None:
    parsed = link({"m.yaml": model() + service("bad", "nobody"), "s.yaml": service()})
    assert codes(parsed) == [("m.yaml", "unknown-model"), ("s.yaml", "model-held-back")]
    assert (names(parsed), parsed.models) == ([], ())


def test_a_name_in_two_files_is_an_error_in_both() -> None:
    parsed = link({"a.yaml": model() + service(), "b.yaml": service()})
    assert codes(parsed) == [("a.yaml", "duplicate-name"), ("b.yaml", "duplicate-name")]
    assert "b.yaml:2" in parsed.problems[0].message
    assert [item.id.name for item in parsed.invalid] == ["s"]


def test_names_collide_only_within_a_namespace() -> None:
    first = service("a.b").replace("name: a.b", "name: a.b, namespace: x").replace("modelRef: m", "modelRef: m")
    parsed = link(
        {"a.yaml": model().replace("name: m", "name: m, namespace: x") + first, "b.yaml": model() + service("a-b")}
    )
    assert (parsed.problems, len(parsed.services)) == ((), 2)


def test_a_reference_stays_in_its_namespace() -> None:
    parsed = link({"llm.yaml": model().replace("name: m", "name: m, namespace: other") + service()})
    assert codes(parsed) == [("llm.yaml", "unknown-model")]


def test_a_namespace_is_the_documents_else_the_command_lines_else_the_fleets() -> None:
    fleet = "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\nspec: {namespace: fleet}\n"
    files = {"fleet.yaml": fleet, "llm.yaml": model() + service()}
    assert link(files).services[0].id.namespace == "fleet"
    assert link(files, namespace="cli").services[0].id.namespace == "cli"


def test_nothing_found_is_not_complete() -> None:
    parsed = link({})
    assert (parsed.complete, parsed.incomplete_reason) == (False, "no Model and no InferenceService was found")


def test_a_fleet_alone_is_not_complete() -> None:
    assert not link({"fleet.yaml": "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\n"}).complete


def test_a_file_that_must_not_be_read_makes_it_incomplete() -> None:
    refused = (Problem("x/llm.yaml", 0, 0, "", "symlink", "a link"),)
    parsed = link({"llm.yaml": model() + service()}, refused)
    assert (names(parsed), parsed.complete) == (["s"], False)


def test_warnings_and_notes_leave_it_complete() -> None:
    parsed = link({"llm.yaml": model(more="  quantization: Q4\n") + service(more="  image: a.example.com/llama\n")})
    assert (len(parsed.problems), parsed.complete) == (2, True)


def test_the_inference_service_wins_over_the_model_with_a_warning() -> None:
    parsed = link(
        {"llm.yaml": model(more="  gpuCount: 2\n") + service(more="  contextSize: 4096\n  resources: {gpu: 4}\n")}
    )
    assert parsed.services[0].gpu is not None
    assert (parsed.services[0].gpu.count, codes(parsed)) == (4, [("llm.yaml", "gpu-count-conflict")])


def test_equal_counts_are_no_conflict() -> None:
    parsed = link(
        {"llm.yaml": model(more="  gpuCount: 2\n") + service(more="  contextSize: 4096\n  resources: {gpu: 2}\n")}
    )
    assert parsed.problems == ()


def test_a_disabled_gpu_with_a_count_is_used_as_llmkube_does() -> None:
    parsed = link(
        {
            "llm.yaml": model(more="  hardware: {gpu: {enabled: false, count: 1}}\n")
            + service(more="  contextSize: 4096\n")
        }
    )
    assert (parsed.services[0].gpu is not None, codes(parsed)) == (True, [("llm.yaml", "gpu-conflict")])


def test_a_context_size_among_the_extra_arguments_is_one() -> None:
    more = "  resources: {gpu: 1}\n  extraArgs: [-c, '8192']\n"
    assert codes(link({"llm.yaml": model() + service(more=more)})) == []


def test_extra_arguments_replace_ours_by_whatever_alias() -> None:
    more = "  contextSize: 4096\n  extraArgs: [-ngl, '20', --no-kv-unified, --swa-full]\n"
    parsed = link({"llm.yaml": model() + service(more=more)})
    assert parsed.services[0].engine.replaces == ("--kv-unified", "--n-gpu-layers")


def test_nothing_but_a_fleet_is_empty_and_not_complete() -> None:
    fleet = "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\nspec: {namespace: llm}\n"
    parsed = link({"fleet.yaml": fleet})
    assert (parsed.empty, parsed.complete) == (True, False)
    assert not link({"llm.yaml": "x: 1\n"}).empty


@pytest.mark.parametrize(
    "fleet",
    [
        "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\nspec: {namespaces: llm}\n",
        "kind: [",
    ],
)
def test_a_fleet_with_errors_leaves_every_service_as_it_is(fleet: str) -> None:
    parsed = link({"fleet.yaml": fleet, "llm.yaml": model() + service()})
    assert (parsed.services, parsed.complete) == ((), False)
    assert parsed.blocked_by is not None
    assert parsed.blocked_by.path == "fleet.yaml"
    assert {problem.path for problem in parsed.problems} == {"fleet.yaml"}


def test_a_draft_model_is_linked_and_can_be_held_back() -> None:
    more = "  speculativeDecoding: {type: draft, draftModelRef: small}\n"
    good = link({"a.yaml": model() + service(more=more), "b.yaml": model("small")})
    speculative = good.services[0].engine.speculative
    assert speculative is not None
    assert speculative.draft is not None
    assert speculative.draft.id.name == "small"
    bad = link({"a.yaml": model() + service(more=more), "b.yaml": model("small", "  x: 1\n")})
    assert codes(bad) == [("a.yaml", "model-held-back"), ("b.yaml", "unknown-field")]


def test_an_autoscaler_counts_for_a_cache_of_one_node() -> None:
    more = "  autoscaling: {maxReplicas: 3}\n  modelCache: {persistence: Cached}\n"
    assert codes(link({"llm.yaml": model() + service(more=more)})) == [("llm.yaml", "cache-access-mode")]


def test_an_allowed_registry_is_a_host_or_a_path_and_not_a_prefix_of_one() -> None:
    more = "  image: ghcr.io.evil.example/llama:server-b11434\n"
    parsed = link({"llm.yaml": model() + service(more=more)}, allowed_registries=("ghcr.io",))
    assert codes(parsed) == [("llm.yaml", "registry-not-allowed")]
    assert link({"llm.yaml": model() + service()}, allowed_registries=("ghcr.io/ggml-org",)).complete


def test_a_namespace_that_the_fleet_names_must_be_allowed_too() -> None:
    fleet = "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\nspec: {namespace: kube-system}\n"
    parsed = link({"fleet.yaml": fleet, "llm.yaml": model() + service()}, allowed_namespaces=("llm",))
    assert {code for _, code in codes(parsed)} == {"namespace-not-allowed"}


def test_a_split_model_named_by_its_first_file_brings_all_of_them() -> None:
    text = model().replace("m.gguf", "m-00001-of-00003.gguf") + service()
    files = link({"llm.yaml": text}).services[0].model.source.files
    assert [file.name for file in files] == [f"m-0000{number}-of-00003.gguf" for number in (1, 2, 3)]


OTHERS = {
    "release.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\n",
    "anchors.yaml": "apiVersion: v1\nkind: ConfigMap\ndata: &d {a: b}\nmore: *d\n---\nx: !Ref y\n",
    "secret.yaml": "apiVersion: v1\nkind: Secret\nstringData: {a: a, a: b}\n",
    "template.yaml": "{{ if .Values.x }}\n\tkind: {{ .y }}\n",
    "gate.yaml": (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n"
        "  healthCheckExprs:\n    - apiVersion: inference.llmkube.dev/v1alpha1\n      kind: InferenceService\n"
    ),
    "notes.yaml": "- just\n- a list\n",
    "binary.yaml": "\x00\x01",
}


def test_other_kinds_are_silent_where_they_are_ignored() -> None:
    parsed = link(
        {**OTHERS, "mine.yaml": model() + OTHERS["secret.yaml"].join(["---\n", service()])}, ignore_other_kinds=True
    )
    assert (parsed.problems, names(parsed), parsed.complete) == ((), ["s"], True)


def test_other_kinds_are_errors_where_they_are_not_ignored() -> None:
    parsed = link({"llm.yaml": OTHERS["release.yaml"]})
    assert codes(parsed) == [("llm.yaml", "other-kind")]
    assert "--ignore-other-kinds" in parsed.problems[0].message


def test_an_unreadable_file_with_our_group_in_it_is_an_error_even_then() -> None:
    assert not link({"a.yaml": model() + service(), "b.yaml": f"{API}kind: [\n"}, ignore_other_kinds=True).complete


def test_a_document_that_misspells_api_version_is_an_error_even_then() -> None:
    text = "apiversion: inference.llmkube.dev/v1alpha1\nkind: Model\n"
    assert codes(link({"a.yaml": text}, ignore_other_kinds=True)) == [("a.yaml", "no-kind")]


def test_a_list_with_objects_of_ours_is_an_error_even_then() -> None:
    text = f"apiVersion: v1\nkind: List\nitems:\n  - {API.strip()}\n    kind: Model\n"
    parsed = link({"a.yaml": text}, ignore_other_kinds=True)
    assert codes(parsed) == [("a.yaml", "other-kind")]
    assert "write its items as documents" in parsed.problems[0].message


def test_an_exported_object_is_read_with_notes_alone() -> None:
    text = service().replace(
        "metadata: {name: s}",
        "metadata: {name: s, uid: a, resourceVersion: '1', creationTimestamp: 2026-11-25T00:00:00Z}",
    )
    parsed = link({"llm.yaml": model() + text + "status: {phase: Ready}\n"})
    assert (parsed.complete, {problem.severity for problem in parsed.problems}) == (True, {"note"})
