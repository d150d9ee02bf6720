"""The init container that brings a model: resumes, verifies, renames into place, and says why when it cannot."""

from collections.abc import Iterable
from typing import Final

from reconciler.core.manifests import storage
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fetch, Model, Service

CONTAINER: Final = "download"

SCRIPT: Final = r"""set -eu
fail() { echo "download failed: $*" >&2; exit 1; }
credentials() { # url fetch
  case "$1" in
    https://huggingface.co/*)
      if [ -n "${HF_TOKEN:-}" ]; then printf 'header = "Authorization: Bearer %s"\n' "$HF_TOKEN"; fi ;;
  esac
  if [ "$2" = s3 ]; then
    printf 'aws-sigv4 = "aws:amz:%s:s3"\n' "${AWS_REGION:-us-east-1}"
    printf 'user = "%s:%s"\n' "${AWS_ACCESS_KEY_ID:-}" "${AWS_SECRET_ACCESS_KEY:-}"
  fi
}
bring() { # folder url name sha256 size fetch
  mkdir -p "$1"
  if [ -f "$1/$3" ]; then echo "$3 is in the cache"; return; fi
  part="$1/$3.part"
  echo "downloading $3"
  status=$(credentials "$2" "$6" | curl --config - --fail --location --proto '=http,https' --proto-redir '=http,https' \
    --retry 5 --retry-all-errors --retry-delay 2 --continue-at - --no-progress-meter --output "$part" \
    --write-out '%{http_code}' -- "$2") || {
      code=$?
      if [ "$status" = 416 ]; then rm -f "$part"; fi
      if [ "$code" = 23 ]; then fail "$3: no space left on the cache volume"; fi
      fail "$3: HTTP $status (curl $code)"
    }
  actual=$(stat -c %s "$part")
  if [ "$5" != 0 ] && [ "$actual" != "$5" ]; then rm -f "$part"; fail "$3: $actual bytes where $5 were expected"; fi
  if [ "$4" != - ] && ! echo "$4  $part" | sha256sum --check --status; then
    rm -f "$part"; fail "$3: its sha256 is not $4"
  fi
  mv "$part" "$1/$3"
  echo "$3 is complete, $actual bytes"
}
if command -v flock >/dev/null; then exec 9>"$MODELS/.lock"; flock 9; fi
printf '%s\n' "$FILES" | while read -r folder url name sha256 size fetch; do
  bring "$MODELS/$folder" "$url" "$name" "$sha256" "$size" "$fetch"
done
"""
"""POSIX shell. All that a spec says reaches it by environment, nothing by interpolation; tokens reach curl on its
standard input, so that they are in no argument list. One process at a time writes a shared cache."""


def container(wanted: Service) -> JsonObject | None:
    """Return the init container; None when there is nothing to download."""
    models = storage.downloads(wanted)
    return None if not models else _container(wanted, models)


def _container(wanted: Service, models: tuple[Model, ...]) -> JsonObject:
    secrets = sorted({model.source.secret for model in models if model.source.secret})
    found: dict[str, object] = {
        "name": CONTAINER,
        "image": wanted.image,
        "command": ["/bin/sh", "-c", SCRIPT],
        "env": [
            {"name": "FILES", "value": _files(models)},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108  # a path in the pod, on a volume of its own
            {"name": "MODELS", "value": storage.MOUNT},
        ],
        "securityContext": restricted(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": storage.VOLUME, "mountPath": storage.MOUNT},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # likewise
        ],
    }
    if secrets:
        found["envFrom"] = [{"secretRef": {"name": secret}} for secret in secrets]
    return found


def restricted() -> JsonObject:
    """Return the security context of a container of ours: no privilege, nothing to write on but volumes."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def _files(models: Iterable[Model]) -> str:
    """Return one line a file: folder, url, name, sha256 or `-`, size or 0, fetch. None of them can hold white space."""
    lines = (
        f"{storage.cache_key(model)} {_address(model, file.url)} {file.name} {file.sha256 or '-'} {file.size}"
        f" {model.source.fetch}"
        for model in models
        for file in storage.files(model)
    )
    return "\n".join(dict.fromkeys(lines))


def _address(model: Model, url: str) -> str:
    if model.source.fetch is not Fetch.S3:
        return url
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return f"https://{bucket}.s3.amazonaws.com/{key}"
