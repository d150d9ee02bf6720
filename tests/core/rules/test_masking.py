import copy
from typing import Any

import pytest

from reconciler.core.rules import masking

MASK = masking.MASK


def pod(container: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "llama", **container}]}}
    return {"kind": "Deployment", "metadata": {"name": "llama", **metadata}, "spec": {"template": template}}


def container_of(manifest: Any) -> Any:
    return manifest["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("name", ["HF_TOKEN", "LLAMA_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "my_token"])
def test_the_value_of_a_variable_named_like_a_secret_is_masked(name: str) -> None:
    shown = masking.mask(pod({"env": [{"name": name, "value": "hunter2"}]}))
    assert container_of(shown)["env"] == [{"name": name, "value": MASK}]


def test_another_variable_stays_readable() -> None:
    variables = [{"name": "LANG", "value": "C"}]
    assert container_of(masking.mask(pod({"env": variables})))["env"] == variables


def test_a_reference_to_a_secret_stays_since_it_holds_none() -> None:
    variables = [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}}]
    assert container_of(masking.mask(pod({"env": variables})))["env"] == variables


@pytest.mark.parametrize("flag", ["--api-key", "--hf-token", "-hft"])
@pytest.mark.parametrize("field", ["args", "command"])
def test_the_argument_after_a_secret_flag_is_masked(flag: str, field: str) -> None:
    shown = masking.mask(pod({field: ["--port", "8080", flag, "hunter2", "--metrics"]}))
    assert container_of(shown)[field] == ["--port", "8080", flag, MASK, "--metrics"]


def test_a_secret_flag_with_an_equals_sign_is_masked() -> None:
    shown = masking.mask(pod({"args": ["--api-key=hunter2"]}))
    assert container_of(shown)["args"] == [f"--api-key={MASK}"]


def test_a_secret_that_reads_like_a_flag_is_masked_too() -> None:
    shown = masking.mask(pod({"args": ["--api-key", "--api-key", "--metrics"]}))
    assert container_of(shown)["args"] == ["--api-key", MASK, "--metrics"]


def test_the_name_of_a_key_file_is_no_secret() -> None:
    shown = masking.mask(pod({"args": ["--api-key-file", "/keys/api"]}))
    assert container_of(shown)["args"] == ["--api-key-file", "/keys/api"]


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_a_secrets_content_is_masked_key_by_key(field: str) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "hf"}, field: {"token": "aHVudGVyMg==", "user": "YQ=="}}
    assert masking.mask(secret)[field] == {"token": MASK, "user": MASK}


def test_a_config_maps_content_stays() -> None:
    config = {"kind": "ConfigMap", "data": {"a": "b"}}
    assert masking.mask(config) == config


def test_kubectls_last_applied_annotation_is_masked_whole() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":"hunter2"}', "team": "ml"}
    shown = masking.mask(pod({}, annotations=annotations))
    assert shown["metadata"]["annotations"] == {
        "kubectl.kubernetes.io/last-applied-configuration": MASK,
        "team": "ml",
    }


def test_init_containers_are_masked_as_well() -> None:
    job = {"spec": {"initContainers": [{"env": [{"name": "HF_TOKEN", "value": "hunter2"}]}]}}
    assert "hunter2" not in str(masking.mask(job))


def test_the_object_itself_is_not_changed() -> None:
    manifest = pod({"env": [{"name": "HF_TOKEN", "value": "hunter2"}], "args": ["--api-key", "hunter2"]})
    before = copy.deepcopy(manifest)
    masking.mask(manifest)
    assert manifest == before


def test_masks_tell_no_secret_from_another() -> None:
    one, other = (masking.mask(pod({"args": ["--api-key", secret]})) for secret in ("a", "a much longer one"))
    assert one == other


@pytest.mark.parametrize("odd", [{"env": None}, {"args": None}, {"args": [8080, None]}, {"env": ["x"]}])
def test_odd_shapes_pass_through(odd: dict[str, Any]) -> None:
    assert container_of(masking.mask(pod(odd))) == {"name": "llama", **odd}
