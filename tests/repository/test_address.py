import subprocess
from pathlib import Path

import pytest

from reconciler.errors import SourceError, UsageError
from reconciler.repository import address
from reconciler.repository.address import Credentials
from reconciler.repository.git import GitRunner, Ssh

NOBODY = Credentials()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-oProxyCommand=touch x",
        "--upload-pack=x",
        "ext::sh -c touch% x",
        "fd::7",
        "foo::bar",
        "ext://x/y",
        "ftp://example.org/x",
        "https:///x",
        "https://",
        "ssh://-oProxyCommand=x/y",
        "ssh://-oProxyCommand=x@host/y",
        "https://host:port/x",
        "https://[::1/x",
        "https://example.org/a\nb",
        "file://x\0y",
    ],
)
def test_what_git_must_never_get_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        address.parse(url, NOBODY)


@pytest.mark.parametrize(
    ("url", "shown", "scheme"),
    [
        ("https://example.org/a.git", "https://example.org/a.git", "https"),
        ("https://ada:s3cr3t@example.org:8443/a.git", "https://example.org:8443/a.git", "https"),
        ("https://s3cr3t@example.org/a.git", "https://example.org/a.git", "https"),
        ("https://ada:s3@cr3t@example.org/a.git", "https://example.org/a.git", "https"),
        ("ssh://git@example.org:22/a.git", "ssh://example.org:22/a.git", "ssh"),
        ("ssh://git:s3cr3t@example.org/a.git", "ssh://example.org/a.git", "ssh"),
        ("git@example.org:team/a.git", "example.org:team/a.git", "ssh"),
        ("git://example.org/a.git", "git://example.org/a.git", "git"),
        ("file:///srv/a.git", "file:///srv/a.git", "file"),
        ("/srv/a.git", "/srv/a.git", "file"),
    ],
)
def test_an_address_is_shown_without_names_and_run_without_secrets(url: str, shown: str, scheme: str) -> None:
    parsed = address.parse(url, NOBODY)
    assert (parsed.shown, parsed.scheme) == (shown, scheme)
    assert "cr3t" not in parsed.url + repr(parsed)


def test_a_relative_path_is_made_absolute() -> None:
    assert address.parse("here/a.git", NOBODY).url == str(Path.cwd() / "here/a.git")


def test_a_refused_url_is_quoted_without_its_password() -> None:
    with pytest.raises(UsageError) as caught:
        address.parse("ftp://ada:s3cr3t@example.org/x", NOBODY)
    assert "s3cr3t" not in str(caught.value)


def test_a_credential_is_percent_decoded() -> None:
    parsed = address.parse("https://ada:p%40ss@example.org/a", NOBODY)
    assert parsed.authorization() == "Basic YWRhOnBAc3M="


def test_a_configured_token_wins_over_the_urls_password() -> None:
    parsed = address.parse("https://ada:old@example.org/a", Credentials(token="new"))  # noqa: S106 # a test's
    assert parsed.authorization() == "Basic YWRhOm5ldw=="


def test_no_credential_goes_out_over_ssh_or_file() -> None:
    token = Credentials(token="secret")  # noqa: S106 # a test's
    assert address.parse("ssh://git@example.org/a", token).authorization() == ""
    assert address.parse("/srv/a", token).authorization() == ""


def test_a_token_that_would_forge_a_header_is_refused() -> None:
    with pytest.raises(UsageError, match="control character"):
        address.parse("https://example.org/a", Credentials(token="a\nX: y")).authorization()  # noqa: S106 # a test's


def test_a_token_file_that_is_absent_is_named() -> None:
    with pytest.raises(SourceError, match="/nowhere/token: the token file cannot be read"):
        address.parse("https://example.org/a", Credentials(token_file="/nowhere/token")).authorization()  # noqa: S106 # a path


def test_secrets_are_redacted_in_all_their_forms() -> None:
    parsed = address.parse("https://example.org/a", Credentials(token="hush-hush"))  # noqa: S106 # a test's
    said = f"Authorization: {parsed.authorization()} hush-hush https://ada:pw@example.org/ gone"
    assert parsed.redact(said) == "Authorization: Basic *** *** https://example.org/ gone"


@pytest.mark.parametrize(
    "name", ["-x", "--all", "a..b", "a b", "a~1", "a:b", "/a", "a/", ".a", "a.lock", "@", "a\x7f", ""]
)
def test_a_name_that_no_branch_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        address.check_branch(name)


@pytest.mark.parametrize("name", ["main", "release/1.2", "llmkube-status/prod-eu", "ü", "a-b_c"])
def test_branch_names_in_use_are_accepted(name: str) -> None:
    assert address.check_branch(name) == name


@pytest.mark.parametrize(("given", "path"), [("", ""), (".", ""), ("./a//b/", "a/b"), ("/a", "a")])
def test_a_path_is_made_plain(given: str, path: str) -> None:
    assert address.check_path(given) == path


@pytest.mark.parametrize("path", ["..", "a/../..", "a\nb"])
def test_a_path_out_of_the_repository_is_refused(path: str) -> None:
    with pytest.raises(UsageError):
        address.check_path(path)


def test_ssh_never_trusts_an_unknown_server_and_quotes_what_it_is_given() -> None:
    command = Ssh(key="/k e/y", known_hosts="/h").command()
    assert command == (
        "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/h -o IdentitiesOnly=yes -i '/k e/y'"
    )


def test_over_ssh_the_user_is_kept_and_only_ssh_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real transport, whose far end is this machine: `ssh` runs what it is asked to."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "r.git")], check=True)
    script = tmp_path / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/said\nfor last; do :; done\nexec sh -c "$last"\n', encoding="utf-8"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    remote = address.parse(f"ssh://git@example.org{tmp_path}/r.git", NOBODY)
    GitRunner(tmp_path / "store").run("ls-remote", "--", remote.url, address=remote)
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert "StrictHostKeyChecking=yes" in said
    assert "git@example.org" in said
