"""What a pod's last words mean. Only these phrases enter reports: raw log lines can hold what users asked a model."""

import re
from typing import Final

_CAUSES: Final = (
    (r"download failed: (\S+): HTTP (401|403)\b", r"download refused (HTTP \2): the source wants a token"),
    (r"download failed: (\S+): HTTP 404\b", r"download failed (HTTP 404): the file is not there"),
    (r"download failed: (\S+): HTTP (\d{3})\b", r"download failed (HTTP \2)"),
    (r"download failed: (\S+): the source does not answer", r"download failed: the source does not answer"),
    (r"(?i)no space left on", r"no space left on the cache volume"),
    (r"the cache volume cannot be written", r"the cache volume cannot be written"),
    (r"an address or a redirect that is not followed", r"download failed: its address is not one to follow"),
    (r"its sha256 is not", r"the downloaded file's sha256 is not the one in the spec"),
    (r"bytes where \d+ were expected", r"the downloaded file has another size than expected"),
    (r"error: invalid argument: (--?[a-z0-9-]+)", r"llama-server does not know the argument \1"),
    (r"(?i)cuda(?:malloc| error).*out of memory|failed to allocate .*buffer", r"out of GPU memory"),
    (r"unknown model architecture: '([\w.-]+)'", r"this build does not know the model architecture \1"),
    (r"invalid magic|failed to read magic|not a gguf", r"the model file is not GGUF"),
    (r"CUDA driver version is insufficient", r"the node's CUDA driver is too old for the image"),
    (r"failed to load model|error loading model", r"llama-server could not load the model"),
)
"""Pattern in a termination message -> the cause as reported. The first that matches is taken."""

_COMPILED: Final = tuple((re.compile(pattern), cause) for pattern, cause in _CAUSES)


def known(message: str) -> str:
    """Return the known cause that a termination message names, "" where there is none."""
    for pattern, cause in _COMPILED:
        match = pattern.search(message)
        if match:
            return match.expand(cause)
    return ""


NO_DEVICE: Final = "no device for its resource claim"

_UNSCHEDULABLE: Final = (
    (re.compile(r"Insufficient ([\w/-]+(?:\.[\w/-]+)*)"), r"Insufficient \1"),
    (re.compile(r"untolerated taint(?:\(s\))? ?\{([^}]*)\}"), r"untolerated taint \1"),
    (re.compile(r"untolerated taint\(s\)"), r"untolerated taint"),
    (re.compile(r"didn't match Pod's node affinity/selector"), r"no node matches the node selector or affinity"),
    (re.compile(r"volume node affinity conflict"), r"the cache volume is tied to another node"),
    (re.compile(r"unbound immediate PersistentVolumeClaims"), r"the cache claim is not bound"),
    (re.compile(r"cannot allocate all claims"), NO_DEVICE),
    (re.compile(r"persistentvolumeclaim \"([\w.-]+)\" not found"), r"the claim \1 is not there"),
)
"""Phrase of the scheduler -> what it lacks. All that match are told, since each node may have its own reason."""


def unschedulable(message: str) -> tuple[str, ...]:
    """Return what the scheduler says is lacking, in the order of this table, each once."""
    found = (match.expand(cause) for pattern, cause in _UNSCHEDULABLE for match in pattern.finditer(message))
    return tuple(dict.fromkeys(found))


_UNCREATED: Final = (
    (re.compile(r"exceeded quota: ([\w.-]+)"), r"the ResourceQuota \1 is used up"),
    (re.compile(r"violates PodSecurity \"([\w.:-]+)\""), r"the namespace's Pod Security \1 refuses the pod"),
    (re.compile(r"no PriorityClass with name ([\w.-]+)"), r"there is no PriorityClass \1"),
    (re.compile(r"RuntimeClass \"([\w.-]+)\" not found"), r"there is no RuntimeClass \1"),
)
"""Phrase of an admission -> what it minds. The whole message names a pod, at each try another."""


def uncreated(message: str) -> str:
    """Return why the API server takes no pod, in words that stay the same from try to try."""
    for pattern, cause in _UNCREATED:
        match = pattern.search(message)
        if match:
            return match.expand(cause)
    return "its pods cannot be created"
