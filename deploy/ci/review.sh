#!/bin/sh
# Validate the specs of a pull or merge request and show what it would change. GitHub Actions and GitLab CI both run this.
#
# Settings, all optional:
#   LLMKUBE_FAIL_ON       invalid (default), changes, or never: which result fails the job
#   LLMKUBE_PATH          the folder of specs
#   LLMKUBE_CI_TARGET     cluster, to show what is live as well; KUBECONFIG says which (see rbac.yaml)
#   LLMKUBE_CI_REPO       the repository's URL as the reconciler in that cluster has it
#   LLMKUBE_COMMENT       true (default) or false: one comment on the request, updated in place
#
# A request from a fork is reviewed offline: no cluster is asked, nothing is written to the request, and no token is used.
# Exit code: 0, 1 as LLMKUBE_FAIL_ON says, 2 when the review itself could not be done.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
fail_on=${LLMKUBE_FAIL_ON:-invalid}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

stop() {
    echo "llmkube review: $1" >&2
    exit 2
}

case $fail_on in
    invalid | changes | never) ;;
    *) stop "LLMKUBE_FAIL_ON is '$fail_on'; write invalid, changes or never" ;;
esac

# -- what the system says about the request: base and head, their branches, and whether it comes from a fork
if [ "${GITHUB_ACTIONS:-}" = true ]; then
    # this event runs with secrets on code that anybody may have written
    [ "${GITHUB_EVENT_NAME:-}" != pull_request_target ] || stop "run it on pull_request, never on pull_request_target"
    system=github
    base=${LLMKUBE_BASE_SHA:?}
    head=HEAD
    base_branch=${GITHUB_BASE_REF:-}
    head_branch=${GITHUB_HEAD_REF:-}
    trusted=no
    [ -n "${LLMKUBE_HEAD_REPO:-}" ] && [ "$LLMKUBE_HEAD_REPO" = "${GITHUB_REPOSITORY:-}" ] && trusted=yes
elif [ "${GITLAB_CI:-}" = true ]; then
    system=gitlab
    base=${CI_MERGE_REQUEST_DIFF_BASE_SHA:?}
    head=${CI_COMMIT_SHA:?}
    base_branch=${CI_MERGE_REQUEST_TARGET_BRANCH_NAME:-}
    head_branch=${CI_MERGE_REQUEST_SOURCE_BRANCH_NAME:-}
    trusted=no
    [ -n "${CI_MERGE_REQUEST_SOURCE_PROJECT_ID:-}" ] &&
        [ "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID" = "${CI_MERGE_REQUEST_PROJECT_ID:-}" ] && trusted=yes
else
    stop "neither GITHUB_ACTIONS nor GITLAB_CI is true"
fi

if [ "$trusted" = no ]; then
    unset KUBECONFIG GITHUB_TOKEN LLMKUBE_GIT_TOKEN LLMKUBE_GITLAB_TOKEN LLMKUBE_CI_TARGET LLMKUBE_CI_REPO
    echo "the request comes from a fork: it is reviewed offline, and not commented on" >&2
fi

# -- validate
code=0
case $system in
    github) llmkube validate --output github || code=$? ;;
    gitlab) llmkube validate || code=$? ;;
esac
[ "$code" -le 1 ] || stop "llmkube validate ended with $code"
invalid=$code

# -- diff
if [ -n "${LLMKUBE_CI_TARGET:-}" ]; then
    [ -n "${LLMKUBE_CI_REPO:-}" ] || stop "LLMKUBE_CI_TARGET needs LLMKUBE_CI_REPO"
    set -- --repo "$LLMKUBE_CI_REPO" --from "$base_branch" --to "$head_branch" --target "$LLMKUBE_CI_TARGET"
else
    # what came to the base since is not this request's doing
    set -- --from "$(git merge-base "$base" "$head")" --to "$head"
fi
code=0
llmkube diff "$@" --output markdown >"$work/comment.md" || code=$?
[ "$code" -le 1 ] || stop "llmkube diff ended with $code"
changed=$code
if [ "$system" = github ]; then
    llmkube diff "$@" --output github | grep -v '^::error ' || true
    [ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat "$work/comment.md" >>"$GITHUB_STEP_SUMMARY"
    [ -z "${GITHUB_OUTPUT:-}" ] || printf 'changed=%s\ninvalid=%s\n' "$changed" "$invalid" >>"$GITHUB_OUTPUT"
else
    llmkube diff "$@" || true
fi

# -- comment
if [ "$trusted" = yes ] && [ "${LLMKUBE_COMMENT:-true}" = true ]; then
    "$here/comment.sh" "$system" "$work/comment.md" "$changed" || echo "the comment could not be written" >&2
fi

case $fail_on in
    never) exit 0 ;;
    invalid) exit "$invalid" ;;
    changes) if [ "$invalid" -ne 0 ] || [ "$changed" -ne 0 ]; then exit 1; fi ;;
esac
