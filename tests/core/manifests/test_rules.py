from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import manifest_cases
from builders import gpu, model, service
from reconciler import resources
from reconciler.core import manifests, plan, spec
from reconciler.core.manifests import arguments, deployment, pod, storage
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import (
    Autoscaling,
    Cache,
    Engine,
    Fetch,
    Fleet,
    ModelFile,
    ModelSource,
    Pod,
    Service,
    Speculative,
    SplitMode,
    Vendor,
)
from reconciler.core.rules import llamacpp, names, vocabulary

NOTES = Path(__file__).parent.parent.parent / "data" / "release-notes"
SPOT = {"key": "spot", "operator": "Equal", "value": "true", "effect": "NoSchedule"}


def kinds(wanted: Service, fleet: Fleet | None = None) -> dict[str, Any]:
    return {found["kind"]: found for found in manifests.build(wanted, fleet or Fleet())}


def pod_spec(wanted: Service, fleet: Fleet | None = None) -> dict[str, Any]:
    found: dict[str, Any] = kinds(wanted, fleet)["Deployment"]["spec"]["template"]["spec"]
    return found


def server(wanted: Service) -> dict[str, Any]:
    found: dict[str, Any] = pod_spec(wanted)["containers"][0]
    return found


def flag(args: list[str], name: str) -> str | None:
    return args[args.index(name) + 1] if name in args else None


def pods(objects: tuple[JsonObject, ...]) -> Iterator[JsonObject]:
    for found in objects:
        if found["kind"] in {"Deployment", "Job"}:
            yield found["spec"]["template"]["spec"]


@pytest.mark.parametrize(("count", "split"), [(0, None), (1, None), (2, "1,1"), (4, "1,1,1,1"), (8, "1,1,1,1,1,1,1,1")])
def test_layers_are_split_evenly_over_the_gpus(count: int, split: str | None) -> None:
    args = arguments.arguments(service(gpus=count))
    assert flag(args, "--tensor-split") == split
    assert flag(args, "--split-mode") == ("layer" if split else None)
    assert flag(args, "--n-gpu-layers") == ("all" if count else None)
    assert flag(args, "--fit") == ("off" if count else None)


def test_a_layer_split_counts_the_output_to_the_last_gpu() -> None:
    args = arguments.arguments(service(gpu=gpu(2, layer_split=((0, 19), (20, 39)))))
    assert flag(args, "--tensor-split") == "20,21"


def test_the_split_mode_none_has_no_split() -> None:
    args = arguments.arguments(service(gpu=gpu(2, split_mode=SplitMode.NONE)))
    assert (flag(args, "--split-mode"), flag(args, "--tensor-split")) == ("none", None)


@pytest.mark.parametrize("vendor", [Vendor.NVIDIA, Vendor.AMD, Vendor.INTEL])
def test_a_gpu_is_a_limit_and_a_toleration_of_its_vendor(vendor: Vendor) -> None:
    asked = gpu(2, vendor)
    found = pod_spec(service(gpu=asked))
    assert found["containers"][0]["resources"]["limits"] == {asked.resource: "2"}
    assert found["tolerations"] == [{"key": asked.taint_key, "operator": "Exists", "effect": "NoSchedule"}]


def test_tolerations_are_merged_without_duplicates() -> None:
    base = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    implied = {"key": "spot", "value": "true", "effect": "NoSchedule"}
    own = (SPOT, dict(reversed(base.items())), SPOT, implied, {**SPOT, "effect": "NoExecute"})
    assert pod.tolerations(gpu(1), own) == [base, SPOT, {**SPOT, "effect": "NoExecute"}]


def test_a_service_without_a_gpu_is_scheduled_as_it_says() -> None:
    found = pod_spec(service(pod=Pod(tolerations=(SPOT,), node_selector={"pool": "cheap"})))
    assert (found["tolerations"], found["nodeSelector"]) == ([SPOT], {"pool": "cheap"})
    assert "resources" not in found["containers"][0]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (service(gpus=1), {"type": "Recreate"}),
        (service(gpus=1, replicas=2), {"maxSurge": 0, "maxUnavailable": 1}),
        (service(gpus=1, autoscaling=Autoscaling(1, 3)), {"maxSurge": 0, "maxUnavailable": 1}),
        (service(), {"maxSurge": 1, "maxUnavailable": 0}),
        (service(cache=Cache(persistent=True)), {"type": "Recreate"}),
        (service(cache=Cache(persistent=True, access_mode="ReadWriteMany")), {"maxSurge": 1, "maxUnavailable": 0}),
    ],
)
def test_the_strategy_is_whole(wanted: Service, expected: dict[str, Any]) -> None:
    whole = expected if "type" in expected else {"type": "RollingUpdate", "rollingUpdate": expected}
    assert kinds(wanted)["Deployment"]["spec"]["strategy"] == whole


@pytest.mark.parametrize(
    ("wanted", "replicas"),
    [
        (service(replicas=3), 3),
        (service(replicas=3, autoscaling=Autoscaling(1, 4)), None),
        (service(replicas=3, suspend=True), 0),
        (service(suspend=True, autoscaling=Autoscaling(1, 4)), 0),
    ],
)
def test_replicas_are_left_to_an_autoscaler(wanted: Service, replicas: int | None) -> None:
    found = kinds(wanted)
    assert found["Deployment"]["spec"].get("replicas") == replicas
    assert ("HorizontalPodAutoscaler" in found) == (replicas is None)


def test_the_selector_is_one_label_that_the_pods_bear_whatever_their_author_says() -> None:
    wanted = service("llama-3.1-8b", pod=Pod(labels={vocabulary.SERVICE_NAME: "x", "team": "a"}), max_unavailable="1")
    found = kinds(wanted)
    selector = {vocabulary.SERVICE_NAME: "llama-3.1-8b"}
    assert found["Deployment"]["spec"]["selector"] == {"matchLabels": selector}
    assert found["Service"]["spec"]["selector"] == selector
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels.items() >= {**selector, "team": "a"}.items()
    assert found["Deployment"]["metadata"]["name"] == found["Service"]["metadata"]["name"] == "llama-3-1-8b"


def test_another_model_or_image_does_not_change_the_selector() -> None:
    one, other = service(), service(model=model("other"), image="ghcr.io/ggml-org/llama.cpp:server-b9999", replicas=2)
    assert kinds(one)["Deployment"]["spec"]["selector"] == kinds(other)["Deployment"]["spec"]["selector"]


@pytest.mark.parametrize("case", manifest_cases.SERVICES)
def test_every_object_bears_the_labels_and_its_spec(case: str) -> None:
    for found in manifests.build(manifest_cases.SERVICES[case], manifest_cases.fleet(case)):
        labels = found["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "llmkube-reconciler"
        assert {vocabulary.SERVICE, vocabulary.MODEL, vocabulary.SERVICE_NAME} <= set(labels)
        assert found["metadata"]["annotations"][vocabulary.SOURCE].endswith("llm.yaml")
        assert names.is_dns_label(found["metadata"]["name"])


@pytest.mark.parametrize("case", manifest_cases.SERVICES)
def test_no_pod_gets_service_links_or_a_token(case: str) -> None:
    for found in pods(manifests.build(manifest_cases.SERVICES[case], manifest_cases.fleet(case))):
        assert found["enableServiceLinks"] is False
        assert found["automountServiceAccountToken"] is False


RESTRICTED_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)


def restricted(found: JsonObject) -> list[str]:
    """Return what the Pod Security profile "restricted" minds about a pod.

    Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    whole: Mapping[str, Any] = found.get("securityContext", {})
    wrong = [field for field in ("hostNetwork", "hostPID", "hostIPC") if found.get(field)]
    wrong += [f"volume {item['name']}" for item in found["volumes"] if not set(item) - {"name"} <= RESTRICTED_VOLUMES]
    for container in (*found["containers"], *found.get("initContainers", ())):
        own = container.get("securityContext", {})
        both = {**whole, **own}
        checks = {
            "privileged": own.get("privileged", False) is False,
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": both.get("runAsNonRoot") is True,
            "runAsUser": both.get("runAsUser") != 0,
            "seccompProfile": both.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
            "capabilities.drop": "ALL" in own.get("capabilities", {}).get("drop", ()),
            "capabilities.add": set(own.get("capabilities", {}).get("add", ())) <= {"NET_BIND_SERVICE"},
            "hostPort": not any("hostPort" in port for port in container.get("ports", ())),
            "procMount": own.get("procMount", "Default") == "Default",
        }
        wrong += [f"{container['name']}: {name}" for name, well in checks.items() if not well]
    return wrong


@pytest.mark.parametrize("case", manifest_cases.SERVICES)
def test_every_pod_keeps_the_restricted_profile(case: str) -> None:
    found = list(pods(manifests.build(manifest_cases.SERVICES[case], manifest_cases.fleet(case))))
    assert found
    assert [restricted(one) for one in found] == [[] for _ in found]


@pytest.mark.parametrize("case", [case for case in manifest_cases.SERVICES if case != "pod-fields"])
def test_the_root_is_read_only_and_all_that_is_written_has_a_volume(case: str) -> None:
    for found in pods(manifests.build(manifest_cases.SERVICES[case], manifest_cases.fleet(case))):
        volumes = {volume["name"] for volume in found["volumes"]}
        for container in (*found["containers"], *found.get("initContainers", ())):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(set(paths)) == len(paths)
            assert "/tmp" in paths  # noqa: S108  # a path in the pod
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_openshift_gives_the_ids_itself() -> None:
    context = pod_spec(service(), Fleet(openshift=True))["securityContext"]
    assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_extra_arguments_replace_ours_and_come_last() -> None:
    engine = Engine(context_size=8192, extra_args=("-c", "0", "-np", "2"), replaces=("--ctx-size", "--parallel"))
    args = arguments.arguments(service(engine=engine))
    assert not {"--ctx-size", "--parallel", "--kv-unified"}.intersection(args)
    assert args[-4:] == ["-c", "0", "-np", "2"]


@pytest.mark.parametrize(
    "build", [5500, 6869, 7299, 7300, 7406, 7407, 9092, 9093, 9452, 9453, 10068, 10877, 10878, 11434]
)
@pytest.mark.parametrize("case", manifest_cases.SERVICES)
def test_every_flag_is_one_that_the_build_knows(case: str, build: int) -> None:
    flags = resources.flags()
    wanted = replace(manifest_cases.SERVICES[case], build=build)
    args = arguments.arguments(wanted)
    parsed = llamacpp.parse_args(args, flags)
    assert [name for name, _ in parsed if flags.find(name) is None] == []
    assert len({llamacpp.canonical(name, flags) for name, _ in parsed}) == len(parsed)
    wrong = [
        finding.message
        for finding in llamacpp.lint(args, flags, build)
        if finding.code not in {"flag-owned", "flag-unsafe"}
    ]
    assert wrong == []


def test_an_old_build_gets_a_number_for_all_layers() -> None:
    args = arguments.arguments(service(gpus=1, image="ghcr.io/ggml-org/llama.cpp:server-cuda-b6869"))
    assert (flag(args, "--n-gpu-layers"), flag(args, "--fit")) == ("999", None)


def test_an_old_build_gets_the_draft_flags_of_its_time() -> None:
    engine = Engine(speculative=Speculative("draft-simple", model("small"), n_max=8))
    args = arguments.arguments(service(engine=engine, image="ghcr.io/ggml-org/llama.cpp:server-b9000"))
    assert flag(args, "--draft-max") == "8"
    assert "--spec-type" not in args


def test_two_models_of_one_claim_are_mounted_once() -> None:
    def on_claim(name: str) -> ModelSource:
        return ModelSource(Fetch.CLAIM, (ModelFile(f"{name}.gguf", f"{name}.gguf"),), claim="shared")

    draft = model("small", source=on_claim("small"))
    engine = Engine(speculative=Speculative("draft-simple", draft))
    wanted = service(model=model("big", source=on_claim("big")), engine=engine)
    mounts = [mount["mountPath"] for mount in server(wanted)["volumeMounts"]]
    assert mounts == ["/models", "/model-source/shared", "/tmp"]  # noqa: S108  # paths in the pod
    assert flag(server(wanted)["args"], "--spec-draft-model") == "/model-source/shared/small.gguf"


def test_a_claim_is_named_by_what_cannot_change_in_it() -> None:
    cache = Cache(persistent=True)
    name = storage.claim_name(service(cache=cache))
    assert storage.claim_name(service(cache=replace(cache, size="1Ti", delete=True))) == name
    others = {
        storage.claim_name(service(cache=changed))
        for changed in (replace(cache, storage_class="fast"), replace(cache, access_mode="ReadWriteMany"))
    }
    assert len({*others, name}) == 3


def test_long_names_that_begin_alike_have_claims_and_selectors_of_their_own() -> None:
    one, other = (service(f"{'a' * 59}{end}", cache=Cache(persistent=True)) for end in ("-b", "-c"))
    assert storage.claim_name(one) != storage.claim_name(other)
    assert names.is_dns_label(storage.claim_name(one))
    longer, longest = (kinds(service(f"a{'.' * 70}{end}"))["Deployment"]["spec"]["selector"] for end in "bc")
    assert longer != longest


def test_a_model_is_cached_under_its_source_revision_and_checksum() -> None:
    base = model("m")
    source = base.source
    file = source.files[0]
    variants = (
        replace(base, source=replace(source, revision="v2")),
        replace(base, source=replace(source, files=(replace(file, sha256="a" * 64),))),
        replace(base, source=replace(source, files=(replace(file, url=f"{file.url}x"),))),
    )
    assert len({storage.cache_key(found) for found in (base, *variants)}) == 4
    assert storage.cache_key(replace(base, prefetch=True)) == storage.cache_key(base)


def test_a_rollout_may_take_as_long_as_its_download_and_its_load() -> None:
    def sized(size: int) -> Service:
        files = (ModelFile("https://e.example.com/a.gguf", "a.gguf", size=size),)
        return service(model=model("m", source=ModelSource(Fetch.HTTP, files)))

    assert deployment.deadline_seconds(service()) == 7200
    assert deployment.deadline_seconds(sized(400_000_000_000)) >= 400_000_000_000 // 20_000_000 + 8000
    for wanted in (sized(1), sized(400_000_000_000), service(), service(skip_model_init=True)):
        assert deployment.deadline_seconds(wanted) > pod.startup_seconds(wanted)
        probe = server(wanted)["startupProbe"]
        assert probe["failureThreshold"] * probe["periodSeconds"] == pod.startup_seconds(wanted)


def test_a_prefetch_job_has_another_name_for_another_model() -> None:
    def job(file: str) -> str:
        source = ModelSource(Fetch.HTTP, (ModelFile(f"https://e.example.com/{file}", file),))
        wanted = service(cache=Cache(persistent=True), model=model("m", source=source, prefetch=True))
        return str(kinds(wanted)["Job"]["metadata"]["name"])

    assert job("a.gguf") == job("a.gguf") != job("b.gguf")


def test_a_prefetch_pod_serves_nobody() -> None:
    wanted = manifest_cases.SERVICES["prefetch"]
    labels = kinds(wanted)["Job"]["spec"]["template"]["metadata"]["labels"]
    assert vocabulary.SERVICE_NAME not in labels


def test_a_monitor_knows_the_key_that_metrics_want() -> None:
    key = {"name": "LLAMA_API_KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "chat"}}}
    monitor = kinds(service(pod_monitor=True, pod=Pod(env=(key,))))["PodMonitor"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"] == {"credentials": {"name": "keys", "key": "chat"}}


def test_the_token_of_a_private_model_comes_from_a_secret_and_reaches_the_download_alone() -> None:
    found = pod_spec(manifest_cases.SERVICES["private"])
    assert found["initContainers"][0]["envFrom"] == [{"secretRef": {"name": "hf-token"}}]
    assert "envFrom" not in found["containers"][0]


def test_the_release_notes_manifests_are_served_as_they_promise() -> None:
    options = spec.Options(include=("**/*.yaml",))
    files = [
        spec.parse_file(path.name, path.read_bytes(), resources.schemas(), options)
        for path in sorted(NOTES.glob("*.yaml"))
    ]
    parsed = spec.link(files, options, resources.flags())
    assert [problem for problem in parsed.problems if problem.severity == "error"] == []
    built = plan.build(parsed, Snapshot("", "", "", ()), None)
    asked = {}
    for planned in built.objects:
        if planned.key.kind == "Deployment":
            container = planned.manifest["spec"]["template"]["spec"]["containers"][0]
            limits = container["resources"]["limits"]
            asked[planned.key.name] = (limits["nvidia.com/gpu"], flag(container["args"], "--tensor-split"))
    assert asked == {"llama-13b": ("2", "1,1"), "llama-70b": ("4", "1,1,1,1")}
