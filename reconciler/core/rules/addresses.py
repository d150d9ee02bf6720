"""Addresses of repositories, as far as two of them can mean the same one."""

import re
from typing import Final

_SCHEME: Final = re.compile(r"^(?:https?|ssh|git)://(?:[^/@]*@)?([^/:]+)(?::[0-9]+)?/(.*)$")
_SCP: Final = re.compile(r"^(?:[^/@:]+@)?([^/:]+):(?!/)(.*)$")


def same_repository(one: str, other: str) -> bool:
    """Tell whether both addresses name one repository: over https, or over ssh, with `.git` or without."""
    return _plain(one) == _plain(other)


def _plain(address: str) -> str:
    match = _SCHEME.match(address) or _SCP.match(address)
    host, path = (match[1].lower(), match[2]) if match else ("", address)
    return f"{host}/{path.rstrip('/').removesuffix('.git')}"
