import pytest

from reconciler.core.rules import addresses

HTTPS = "https://git.example.com/team/models"


@pytest.mark.parametrize(
    "other",
    [
        "https://git.example.com/team/models.git",
        "https://someone@git.example.com/team/models/",
        "https://GIT.example.com:443/team/models",
        "ssh://git@git.example.com/team/models.git",
        "git@git.example.com:team/models.git",
    ],
)
def test_one_repository_has_many_addresses(other: str) -> None:
    assert addresses.same_repository(HTTPS, other)


@pytest.mark.parametrize(
    "other",
    ["https://git.example.com/team/other", "https://git.example.org/team/models", "file:///team/models", ""],
)
def test_another_repository_is_another(other: str) -> None:
    assert not addresses.same_repository(HTTPS, other)


def test_folders_are_compared_as_they_stand() -> None:
    assert addresses.same_repository("file:///srv/models.git", "file:///srv/models")
    assert not addresses.same_repository("file:///srv/models", "file:///srv/Models")
