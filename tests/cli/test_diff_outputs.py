"""Each format of `llmkube diff`, from values: what it says, how it escapes, and that no secret is in it."""

import importlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import click
import jsonschema
import pytest

from commands import ROOT
from reconciler.cli.answer import Difference, Validation
from reconciler.cli.output import github, markdown, sarif, unified
from reconciler.core import diff, effect, review
from reconciler.core.model.change import Change, Hold, HoldReason
from reconciler.core.model.health import Health
from reconciler.core.model.objects import ServiceId, key_of
from reconciler.core.model.observed import Observed
from reconciler.core.model.outcome import Proposal
from reconciler.core.model.plan import Plan, Planned
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import Fleet, Parsed

FORMATS = ("text", "unified", "json", "markdown", "github", "sarif")
PARSED = Parsed((), (), Fleet(), (), (), complete=True)


def deployment(name: str = "llama", **changes: Any) -> dict[str, Any]:
    container = {"name": "llama-server", "image": "llama:1", "args": ["--ctx-size", "4096"], **changes}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "llm",
            "annotations": {"gitops.llmkube.dev/source": f"models/{name}/llm.yaml"},
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
    }


def annotated(**annotations: str) -> dict[str, Any]:
    found = deployment()
    return {**found, "metadata": {**found["metadata"], "annotations": annotations}}


def difference(
    before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]], *problems: Problem, hold: str = ""
) -> Difference:
    live = {key_of(manifest): manifest for manifest in before}
    planned = tuple(
        Planned(key_of(manifest), manifest, ServiceId("llm", manifest["metadata"]["name"])) for manifest in after
    )
    plan = Plan(PARSED, Snapshot("", "", "", ()), None, planned, "")
    observed = Observed(live=live)
    changes = tuple(held(change, hold) for change in diff.compare(plan, observed))
    found = review.build(Proposal(plan, observed, Health(), changes), Fleet())
    return Difference("main", "HEAD", changes, problems, effect.digest(changes), found)


def held(change: Change, message: str) -> Change:
    return replace(change, hold=Hold(HoldReason.PAUSED, message)) if message else change


def rendered(form: str, value: object) -> str:
    text: str = importlib.import_module(f"reconciler.cli.output.{form}").render(value)
    return text


CHANGED = difference([deployment()], [deployment(args=["--ctx-size", "8192"])])
PROBLEM = Problem("a b/llm.yaml", 3, 5, "/spec", "unknown-field", "100% wrong:\nsee, this", Severity.ERROR)


@pytest.mark.parametrize("form", FORMATS)
def test_the_plans_hash_is_in_every_format(form: str) -> None:
    said = CHANGED.plan_hash[:12] if form == "github" else CHANGED.plan_hash
    assert said in rendered(form, CHANGED)


SECRETS = {
    "env": deployment(env=[{"name": "HF_TOKEN", "value": "hunter2-new"}]),
    "env twice": deployment(env=[{"name": "X", "value": "1"}, {"name": "X", "value": "hunter2-new"}]),
    "argument": deployment(args=["--api-key", "hunter2-new"]),
    "joined argument": deployment(args=["--api-key=hunter2-new"]),
    "annotation": annotated(**{"example.com/api-token": "hunter2-new"}),
    "last-applied": annotated(**{"kubectl.kubernetes.io/last-applied-configuration": '{"x":"hunter2-new"}'}),
}
BEFORE = {
    "env": deployment(env=[{"name": "HF_TOKEN", "value": "hunter2-old"}]),
    "env twice": deployment(env=[{"name": "X", "value": "1"}, {"name": "X", "value": "hunter2-old"}]),
    "argument": deployment(args=["--api-key", "hunter2-old"]),
    "joined argument": deployment(args=["--api-key=hunter2-old"]),
    "annotation": annotated(**{"example.com/api-token": "hunter2-old"}),
    "last-applied": annotated(**{"kubectl.kubernetes.io/last-applied-configuration": '{"x":"hunter2-old"}'}),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("where", [name for name in SECRETS if name != "env twice"])
def test_a_secret_is_in_no_format(form: str, where: str) -> None:
    for before in ([BEFORE[where]], [deployment()], []):
        assert "hunter2" not in rendered(form, difference(before, [SECRETS[where]]))
        assert "hunter2" not in rendered(form, difference([SECRETS[where]], [deployment()]))
    changed = difference([BEFORE[where]], [SECRETS[where]])
    assert changed.changes[0].fields


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_a_variable_that_is_told_by_its_place_is_masked(form: str) -> None:
    assert "hunter2" not in rendered(form, difference([BEFORE["env twice"]], [SECRETS["env twice"]]))


def test_a_unified_diff_has_both_sides_and_says_where_masked_values_differ() -> None:
    text = unified.render(CHANGED)
    assert "--- a/Deployment/llm/llama\n+++ b/Deployment/llm/llama\n" in text
    assert "-        - '4096'\n+        - '8192'\n" in text
    masked = unified.render(difference([BEFORE["env"]], [SECRETS["env"]]))
    assert "only masked values differ: spec.template.spec.containers[llama-server].env[HF_TOKEN].value" in masked


def test_a_new_object_is_all_added_in_a_unified_diff() -> None:
    text = unified.render(difference([], [deployment()]))
    assert "--- /dev/null\n+++ b/Deployment/llm/llama\n" in text


def test_the_json_keeps_its_schema() -> None:
    schema = json.loads((ROOT / "specs-schema" / "diff.json").read_text(encoding="utf-8"))
    both = Difference("a", "b", (), (PROBLEM,), "0", review.build(proposal(), Fleet()), (1, 2), ("note",), CHANGED)
    for value in (CHANGED, both, difference([deployment()], [], hold="wait")):
        jsonschema.Draft202012Validator(schema).validate(json.loads(rendered("json", value)))


def proposal() -> Proposal:
    return Proposal(Plan(PARSED, Snapshot("", "", "", ()), None, (), ""), Observed({}), Health(), ())


def test_annotations_are_escaped_as_github_reads_them() -> None:
    lines = github.render(Validation((PROBLEM,), 1, 0, 0)).splitlines()
    assert lines == [
        "::error file=a b/llm.yaml,line=3,col=5,title=unknown-field::100%25 wrong:%0Asee, this (/spec)",
    ]
    odd = Problem("a:b,c/llm.yaml", 0, 0, "", "bad-yaml", "no", Severity.NOTE)
    assert github.render(Validation((odd,), 1, 0, 0)) == "::notice file=a%3Ab%2Cc/llm.yaml,title=bad-yaml::no\n"


def test_a_held_change_is_annotated_at_its_file() -> None:
    text = github.render(difference([deployment()], [deployment(image="llama:2")], hold="paused\n::error::x"))
    assert "::warning file=models/llama/llm.yaml,title=llmkube%3A held (paused)::update Deployment/llm/llama" in text
    assert "paused%0A::error::x" in text


def test_sarif_names_a_rule_for_each_result() -> None:
    log = json.loads(sarif.render(Validation((PROBLEM,), 1, 0, 0)))
    (run,) = log["runs"]
    (result,) = run["results"]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "unknown-field"
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "a%20b/llm.yaml"},
        "region": {"startLine": 3, "startColumn": 5},
    }


def test_the_comment_begins_with_its_mark() -> None:
    assert markdown.render(CHANGED).splitlines()[0] == "<!-- llmkube-diff -->"


@pytest.mark.parametrize("count", [1, 300, 3000])
def test_the_comment_fits_whatever_changes_and_says_what_it_leaves_out(count: int) -> None:
    env = [{"name": f"V{number}", "value": "\U0001f999" * 300} for number in range(10)]
    names = [f"llama-{number:04}" for number in range(count)]
    value = difference(
        [deployment(name) for name in names],
        [deployment(name, env=env) for name in names],
        *(PROBLEM for _ in range(count)),
    )
    text = markdown.render(value)
    assert len(text.encode()) <= markdown.LIMIT
    assert text.count("<details") == text.count("</details>")
    assert ("Left out, since a comment has a limit" in text) == (count > 1)
    assert value.plan_hash in text
    both = markdown.render(Difference(**{**fields_of(value), "live": value}))
    assert len(both.encode()) <= markdown.LIMIT


def fields_of(value: Difference) -> dict[str, Any]:
    return {name: getattr(value, name) for name in Difference.__slots__}


def test_what_matters_most_stands_first_in_the_comment() -> None:
    before = [deployment(name) for name in ("a", "b", "c")]
    after = [deployment("a"), deployment("b", image="llama:2"), deployment("d")]
    rows = re.findall(r"`llm/(\w)`", markdown.render(difference(before, after)))
    assert rows == ["c", "b", "d"]


@pytest.mark.parametrize("evil", ["@everyone", "</details><img src=x>", "[x](http://evil)", "| a | b |", "```\n# big"])
def test_nothing_in_the_comment_is_markup_that_came_from_outside(evil: str) -> None:
    value = difference([deployment()], [deployment(args=["--alias", evil])], hold=evil)
    text = markdown.render(value)
    outside = re.sub(r"(?ms)^(`{3,})diff\n.*?^\1$", "", text)
    assert evil not in outside
    assert "<img" not in outside
    assert text.count("<details>") == outside.count("</details>")


def test_control_characters_do_not_reach_a_terminal() -> None:
    value = difference([deployment()], [deployment(args=["--alias", "\x1b[31mred"])])
    for form in ("text", "unified", "markdown"):
        assert "\x1b" not in click.unstyle(rendered(form, value))
    text = rendered("text", difference([deployment()], [deployment(image="b")], hold="\x1b]0;title\x07wait"))
    assert "]0;title wait" in text
    assert "\x1b]" not in text


def test_the_text_says_first_what_happens_to_services() -> None:
    lines = click.unstyle(rendered("text", CHANGED)).splitlines()
    assert lines[0] == "services: 1 changed, 1 with pods that restart; 0 unchanged"
    assert lines[1] == "~ llm/llama  pods restart: --ctx-size"
