"""Where a repository is: the address as git gets it, as people see it, and what proves who asks."""

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from reconciler.errors import SourceError, UsageError

SCHEMES: Final = frozenset({"file", "https", "http", "ssh", "git"})
_SCP_LIKE: Final = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9._-]+:(?!//)[^:]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_USERINFO: Final = re.compile(r"(?<=://)[^/\s]+@")
# What git-check-ref-format forbids, and what it allows but no branch needs.
_BAD_IN_BRANCH: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^/|/$|^\.|\.$|^@$")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks, over http and https. `token_file` is read anew at every call, since such files are rotated.

    An empty `username` sends the token as `Bearer`; the default serves GitHub, GitLab and Gitea, which take any name.
    """

    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = "x-access-token"

    def secret(self) -> str:
        """Return the token; "" for none. SourceError when its file cannot be read."""
        if not self.token_file:
            return self.token
        try:
            return Path(self.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{self.token_file}: the token file cannot be read: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class Address:
    """One remote. `url` goes to git's command line and holds no secret; `shown` has no user name either.

    `origin` is scheme, host and port, to which alone a credential is sent; empty when the scheme takes none.
    """

    url: str
    shown: str
    scheme: str
    origin: str = ""
    credentials: Credentials = field(default_factory=Credentials)

    def authorization(self) -> str:
        """Return the value of the Authorization header; "" for none."""
        if not self.origin or not (secret := self.credentials.secret()):
            return ""
        if _CONTROL.search(secret):
            raise UsageError("the git token holds a control character; is it a token?")
        if not self.credentials.username:
            return f"Bearer {secret}"
        pair = f"{self.credentials.username}:{secret}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"

    def redact(self, text: str) -> str:
        """Return the text without this remote's secrets, in whatever form they took."""
        try:
            header, secret = self.authorization(), self.credentials.secret()
        except (SourceError, UsageError):
            header, secret = "", self.credentials.token
        for hidden in (header.partition(" ")[2], secret):
            text = text.replace(hidden, "***") if hidden else text
        return without_userinfo(text)


def without_userinfo(text: str) -> str:
    """Return the text with the user names and passwords of all URLs in it taken out."""
    return _USERINFO.sub("", text)


def parse(url: str, credentials: Credentials) -> Address:
    """Read a repository's address: a URL, `user@host:path`, or a path. UsageError for what git must never get."""
    shown = without_userinfo(url)
    if not url or url.startswith("-") or _CONTROL.search(url):
        raise UsageError(f"{shown!r} is no repository: give a URL or a path")
    if "::" in url.partition("/")[0]:
        raise UsageError(f"{shown}: transport helpers are refused; give a {_schemes()} URL, or a path")
    if "://" in url:
        return _from_url(url, credentials)
    if _SCP_LIKE.fullmatch(url):
        return Address(url=url, shown=url.rpartition("@")[2], scheme="ssh")
    path = str(Path(url).absolute())
    return Address(url=path, shown=path, scheme="file")


def check_branch(name: str) -> str:
    """Return the name when it can be a branch's. UsageError otherwise."""
    if not name or name.startswith("-") or _BAD_IN_BRANCH.search(name):
        raise UsageError(f"{name!r} is not a branch name")
    return name


def check_revision(name: str) -> str:
    """Return the name when it can be given to git as a revision. UsageError otherwise."""
    if not name or name.startswith("-") or _CONTROL.search(name) or ".." in name:
        raise UsageError(f"{name!r} is not a revision: give a commit id, a branch or a tag")
    return name


def check_path(path: str) -> str:
    """Return the folder inside the repository, relative and without a slash at its ends; "" for all of it."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts or _CONTROL.search(path):
        raise UsageError(f"{path!r} is not a path inside the repository")
    return "/".join(parts)


def _from_url(url: str, credentials: Credentials) -> Address:
    shown = without_userinfo(url)
    try:
        parts = urlsplit(url)
        host = _host(parts)
    except ValueError as error:
        raise UsageError(f"{shown}: not a URL") from error
    if parts.scheme not in SCHEMES:
        raise UsageError(f"{shown}: the scheme {parts.scheme!r} is not served; give a {_schemes()} URL, or a path")
    if host.startswith("-") or (parts.scheme != "file" and not parts.hostname):
        raise UsageError(f"{shown}: not a URL of a repository")
    if parts.scheme in {"http", "https"}:
        bare = parts._replace(netloc=host).geturl()
        owner = _owner(parts, credentials)
        return Address(bare, bare, parts.scheme, origin=f"{parts.scheme}://{host}/", credentials=owner)
    user = f"{parts.username}@" if parts.scheme == "ssh" and parts.username else ""
    if user.startswith("-"):
        raise UsageError(f"{shown}: not a URL of a repository")
    return Address(parts._replace(netloc=user + host).geturl(), shown, parts.scheme)


def _host(parts: SplitResult) -> str:
    """Return host and port. ValueError when the port is no number."""
    _ = parts.port
    return parts.netloc.rpartition("@")[2]


def _owner(parts: SplitResult, credentials: Credentials) -> Credentials:
    """Take user name and password out of the URL; what is configured beside it wins."""
    user = unquote(parts.username or "")
    if credentials.token or credentials.token_file:
        return Credentials(credentials.token, credentials.token_file, user or credentials.username)
    if parts.password:
        return Credentials(token=unquote(parts.password), username=user)
    # `https://TOKEN@host/` is how many CI systems write it: the user name is the secret.
    return Credentials(token=user, username="x-access-token") if user else credentials


def _schemes() -> str:
    return ", ".join(sorted(SCHEMES))
