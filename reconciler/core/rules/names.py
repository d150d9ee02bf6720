"""Names that Kubernetes accepts, made of names that people write."""

import hashlib
import re
from typing import Final

MAX_LABEL: Final = 63
"""RFC 1035 and Kubernetes: the longest DNS label, and the longest label value."""

_NOT_DNS: Final = re.compile(r"[^a-z0-9-]+")
_DNS_1035: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def dns_label(name: str) -> str:
    """Return the name as a DNS-1035 label: `llama-3.1-8b` -> `llama-3-1-8b`, `7b` -> `m-7b`.

    Two names may become one; the caller treats that as an error. "" when nothing of the name can be kept.
    """
    label = _NOT_DNS.sub("-", name.lower()).strip("-")
    if label and not label[0].isalpha():
        label = f"m-{label}"
    return label[:MAX_LABEL].rstrip("-")


def is_dns_label(name: str) -> bool:
    """Tell whether the name is a DNS-1035 label as it stands."""
    return len(name) <= MAX_LABEL and _DNS_1035.fullmatch(name) is not None


def label_value(name: str) -> str:
    """Return the name as a label value; a longer one is cut and hashed, since selectors stand on it."""
    if len(name) <= MAX_LABEL:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_LABEL - 9].rstrip('-._')}-{digest}"
