import hashlib
import hmac
from http import HTTPStatus

import pytest

from reconciler.daemon.webhook import BURST, Webhook

SECRET = "it is a secret"  # noqa: S105 # a test's
BODY = b'{"ref": "refs/heads/main"}'


def signed(body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Bell:
    def __init__(self) -> None:
        self.rung = 0
        self.now = 0.0

    def ring(self) -> None:
        self.rung += 1

    def clock(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("headers", "genuine"),
    [
        ({"x-hub-signature-256": f"sha256={signed()}"}, True),
        ({"x-hub-signature": f"sha256={signed()}"}, True),
        ({"x-gitea-signature": signed()}, True),
        ({"x-gitlab-token": SECRET}, True),
        ({"x-hub-signature-256": f"sha256={signed()}", "x-gitea-signature": signed()}, True),
        ({"x-hub-signature-256": f"sha256={signed()}", "x-hub-signature": "sha1=0123"}, True),
        ({}, False),
        ({"x-hub-signature-256": signed()}, False),
        ({"x-hub-signature-256": f"sha1={signed()}"}, False),
        ({"x-hub-signature-256": f"sha256={signed(b'other')}"}, False),
        ({"x-hub-signature-256": f"sha256={signed(secret='other')}"}, False),  # noqa: S106 # none at all
        ({"x-hub-signature-256": ""}, False),
        ({"x-hub-signature-256": "sha256=\xff"}, False),
        ({"x-hub-signature": "sha1=0123"}, False),
        ({"x-gitea-signature": f"sha256={signed()}"}, False),
        ({"x-gitlab-token": "other"}, False),
        ({"x-gitlab-token": ""}, False),
        ({"x-gitlab-token": SECRET, "x-gitea-signature": "wrong"}, False),
        ({"authorization": SECRET}, False),
    ],
)
def test_only_who_knows_the_secret_rings(headers: dict[str, str], genuine: bool) -> None:  # noqa: FBT001 # a table
    bell = Bell()
    status = Webhook(SECRET, bell.ring).answer(headers, BODY)
    assert status == (HTTPStatus.ACCEPTED if genuine else HTTPStatus.UNAUTHORIZED)
    assert bell.rung == genuine


def test_an_empty_secret_opens_to_nobody() -> None:
    bell = Bell()
    headers = {"x-gitlab-token": "", "x-hub-signature-256": f"sha256={signed(secret='')}"}
    assert Webhook("", bell.ring).answer(headers, BODY) == HTTPStatus.UNAUTHORIZED
    assert bell.rung == 0


def test_a_body_that_is_no_json_is_not_even_looked_at() -> None:
    bell = Bell()
    body = b"\xff{{{"
    assert Webhook(SECRET, bell.ring).answer({"x-gitea-signature": signed(body)}, body) == HTTPStatus.ACCEPTED


def test_a_burst_is_bounded_and_recovers_with_time() -> None:
    bell = Bell()
    webhook = Webhook(SECRET, bell.ring, bell.clock)
    answers = [webhook.answer({"x-gitlab-token": SECRET}, BODY) for _ in range(BURST + 3)]
    assert answers == [HTTPStatus.ACCEPTED] * BURST + [HTTPStatus.TOO_MANY_REQUESTS] * 3
    bell.now += 2.0
    assert webhook.answer({"x-gitlab-token": SECRET}, BODY) == HTTPStatus.ACCEPTED
    assert bell.rung == BURST + 1


def test_who_does_not_know_the_secret_uses_up_nothing() -> None:
    bell = Bell()
    webhook = Webhook(SECRET, bell.ring, bell.clock)
    for _ in range(1000):
        webhook.answer({"x-gitlab-token": "guess"}, BODY)
    assert webhook.answer({"x-gitlab-token": SECRET}, BODY) == HTTPStatus.ACCEPTED
