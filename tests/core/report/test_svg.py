from xml.etree import ElementTree as ET

import pytest

from reconciler.core import report
from reconciler.core.report import svg
from report_fleets import ALL_GOOD, FLEETS, FOLDER
from report_outcomes import Scene, node, ready, service

SPACE = "{http://www.w3.org/2000/svg}"


def picture(scene: Scene) -> ET.Element:
    return ET.fromstring(report.build(scene.outcome(), None).files["fleet.svg"])  # noqa: S314  # our own


def texts(scene: Scene) -> list[str]:
    return [found.text or "" for found in picture(scene).iter(f"{SPACE}text")]


def boxes(scene: Scene, style: str) -> list[ET.Element]:
    return [found for found in picture(scene).iter(f"{SPACE}rect") if found.get("class") == style]


def test_a_nodes_gpus_are_drawn_taken_and_free() -> None:
    scene = Scene((service("llama", 2),), {"llama": ready("gpu-a")}, (node("gpu-a", 8),))
    # One more of each is the legend's.
    assert (len(boxes(scene, "well")), len(boxes(scene, "free"))) == (2 + 1, 6 + 1)


def test_a_cordoned_node_says_so() -> None:
    assert any("cordoned" in text for text in texts(Scene(nodes=(node("gpu-a", 8, schedulable=False),))))


def test_without_nodes_each_service_is_a_card() -> None:
    assert len(boxes(FOLDER, "card")) == 3
    assert "Services" in texts(FOLDER)


def test_a_node_without_gpus_and_without_our_pods_is_left_out() -> None:
    assert "cpu-b" not in texts(Scene(ALL_GOOD.services, ALL_GOOD.health, (*ALL_GOOD.nodes, node("cpu-b", 0))))


def test_more_cards_than_anyone_looks_at_are_counted() -> None:
    scene = Scene(tuple(service(f"s{number:03d}") for number in range(200)))
    assert "Services, 120 of 200" in texts(scene)


def test_more_gpus_than_fit_are_counted() -> None:
    scene = Scene(nodes=(node("gpu-a", 100_000),))
    assert len(boxes(scene, "free")) == 64 + 1


@pytest.mark.parametrize("name", FLEETS)
def test_everything_is_inside_the_picture(name: str) -> None:
    drawn = picture(FLEETS[name])
    height = int(drawn.get("height", "0"))
    for box in drawn.iter(f"{SPACE}rect"):
        left, top = int(box.get("x", "0")), int(box.get("y", "0"))
        assert left + int(box.get("width", "0")) <= svg.WIDTH
        assert top + int(box.get("height", "0")) <= height


def test_it_has_a_title_for_who_cannot_see_it() -> None:
    title = picture(ALL_GOOD).find(f"{SPACE}title")
    assert title is not None
    assert title.text == "prod: 3 services: 3 Ready"
