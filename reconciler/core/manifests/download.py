"""The init container that brings a model: resumes, verifies, renames into place, and says why when it cannot."""

from collections.abc import Iterable
from typing import Final

from reconciler.core.manifests import storage
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Model, Service

CONTAINER: Final = "download"

SCRIPT: Final = r"""set -eu
fail() { printf 'download failed: %s\n' "$*" >&2; exit 1; }
say() { printf '%s\n' "$*"; }
plain() { printf '%s' "$1" | tr -d '\r\n"\134'; }
region=$(plain "${AWS_REGION:-${AWS_DEFAULT_REGION:-us-east-1}}")
address() { # url
  case "$1" in
    https://huggingface.co/*) hub=${HF_ENDPOINT:-https://huggingface.co}; printf '%s' "${hub%/}/${1#https://*/}" ;;
    s3://*) s3=${AWS_ENDPOINT_URL:-https://s3.$region.amazonaws.com}; printf '%s' "${s3%/}/${1#s3://}" ;;
    *) printf '%s' "$1" ;;
  esac
}
options() { # url, as curl's configuration
  case "$(address "$1")" in https://*) echo 'proto-redir = "=https"' ;; *) echo 'proto-redir = "=http,https"' ;; esac
  case "$1" in
    https://huggingface.co/*)
      if [ -n "${HF_TOKEN:-}" ]; then printf 'header = "Authorization: Bearer %s"\n' "$(plain "$HF_TOKEN")"; fi ;;
    s3://*)
      echo 'max-redirs = 0'
      if [ -n "${AWS_ACCESS_KEY_ID:-}" ]; then
        printf 'aws-sigv4 = "aws:amz:%s:s3"\n' "$region"
        printf 'user = "%s:%s"\n' "$(plain "$AWS_ACCESS_KEY_ID")" "$(plain "${AWS_SECRET_ACCESS_KEY:-}")"
      fi
      if [ -n "${AWS_SESSION_TOKEN:-}" ]; then
        printf 'header = "x-amz-security-token: %s"\n' "$(plain "$AWS_SESSION_TOKEN")"
      fi ;;
  esac
}
size_of() { if [ -f "$1" ]; then stat -c %s "$1"; else echo 0; fi; }
get() { # url part name
  tries=5
  while :; do
    before=$(size_of "$2"); code=0
    status=$(options "$1" | curl --config - --globoff --fail --location --proto '=http,https' --connect-timeout 30 \
      --speed-limit 1024 --speed-time 120 --continue-at - --no-progress-meter --output "$2" \
      --write-out '%{http_code}' -- "$(address "$1")") || code=$?
    case "$code:$status" in
      0:*) return ;;
      33:*|22:416) rm -f "$2" ;; # it cannot resume: from the start
      23:*) fail "$3: no space left on the cache volume, or not ours to write on" ;;
      22:408|22:425|22:429|22:5*) why="HTTP $status" ;;
      22:*) fail "$3: HTTP $status" ;;
      1:*|3:*|47:*) fail "$3: an address or a redirect that is not followed (curl $code)" ;;
      *) why="the source does not answer (curl $code)" ;;
    esac
    if [ "$(size_of "$2")" -gt "$before" ]; then tries=5; else tries=$((tries - 1)); fi
    if [ "$tries" = 0 ]; then fail "$3: ${why:-the source cannot resume}"; fi
    sleep "${RETRY_SECONDS:-3}"
  done
}
bring() { # folder url name sha256 size
  if [ -f "$1/$3" ]; then say "$3 is in the cache"; return; fi
  mkdir -p "$1" || fail "$3: the cache volume cannot be written"
  if command -v flock >/dev/null; then exec 9>"$1/.lock"; flock 9; fi
  if [ -f "$1/$3" ]; then say "$3 is in the cache by now"; return; fi
  part="$1/$3.part"
  say "downloading $3"
  get "$2" "$part" "$3"
  if [ "$status:$4:$5" = 416:-:0 ]; then rm -f "$part"; get "$2" "$part" "$3"; fi # what lies there may be another file
  actual=$(size_of "$part")
  if [ "$5" != 0 ] && [ "$actual" != "$5" ]; then rm -f "$part"; fail "$3: $actual bytes where $5 were expected"; fi
  if [ "$4" != - ] && ! say "$4  $part" | sha256sum --check --status; then
    rm -f "$part"; fail "$3: its sha256 is not $4"
  fi
  mv "$part" "$1/$3"
  say "$3 is complete, $actual bytes"
}
printf '%s\n' "$FILES" | while read -r folder url name sha256 size; do
  bring "$MODELS/$folder" "$url" "$name" "$sha256" "$size"
done
"""
"""POSIX shell. All that a spec says reaches it by environment, nothing by interpolation; tokens reach curl on its
standard input, so that they are in no argument list. One process at a time writes a model's folder.

The tries are the script's own: curl's --retry cuts the file back to where that curl began, and repeats a 404. They are
counted anew when bytes arrived, so that a long download survives many breaks. HF_ENDPOINT and AWS_ENDPOINT_URL are the
names that those clients know a mirror by.
"""


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
    """Return one line a file: folder, url, name, sha256 or `-`, size or 0. None of them can hold white space."""
    lines = (
        f"{storage.cache_key(model)} {file.url} {file.name} {file.sha256.lower() or '-'} {file.size}"
        for model in models
        for file in storage.files(model)
    )
    return "\n".join(dict.fromkeys(lines))
