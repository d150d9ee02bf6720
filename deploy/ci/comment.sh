#!/bin/sh
# comment.sh github|gitlab FILE CHANGED - write FILE as the one comment of llmkube on a pull or merge request.
#
# The comment is found again by its first line and its author, and updated in place. With CHANGED 0 none is begun: a
# request that changes nothing needs no comment, but one that changed something before is told that it no longer does.
# Needs curl, and the Python that llmkube runs on. The token goes through a file, never through the process list.
set -eu

system=$1 file=$2 changed=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077

case $system in
    github)
        base="${GITHUB_API_URL:?}/repos/${GITHUB_REPOSITORY:?}/issues"
        list="$base/${LLMKUBE_REQUEST:?}/comments"
        one="$base/comments"
        method=PATCH
        author=${LLMKUBE_COMMENT_AUTHOR:-github-actions[bot]}
        printf 'Authorization: Bearer %s\nAccept: application/vnd.github+json\n' "${GITHUB_TOKEN:?}" >"$work/headers"
        ;;
    gitlab)
        list="${CI_API_V4_URL:?}/projects/${CI_MERGE_REQUEST_PROJECT_ID:?}/merge_requests/${CI_MERGE_REQUEST_IID:?}/notes"
        one=$list
        method=PUT
        author=${LLMKUBE_COMMENT_AUTHOR:-}
        printf 'PRIVATE-TOKEN: %s\n' "${LLMKUBE_GITLAB_TOKEN:?a token of the project with the scope api}" >"$work/headers"
        ;;
    *)
        echo "comment.sh: '$system' is neither github nor gitlab" >&2
        exit 2
        ;;
esac

ask() {
    curl --silent --show-error --fail --max-time 30 --retry 2 --header "@$work/headers" \
        --header 'Content-Type: application/json' "$@"
}

# prints how many comments the page has, and the id of ours if it is among them
look() {
    python3 -c '
import json, sys
mark, author = sys.argv[1:]
page = json.load(sys.stdin)
ours = [
    note["id"]
    for note in page
    if note["body"].startswith(mark)
    and author in ("", (note.get("user") or note.get("author") or {}).get("login", ""),
                   (note.get("user") or note.get("author") or {}).get("username", ""))
]
print(len(page), *ours[:1])
' "$mark" "$author"
}

mark=$(head -n 1 "$file")
found='' page=1 count=100
while [ -z "$found" ] && [ "$count" -eq 100 ] && [ "$page" -le 50 ]; do
    ask "$list?per_page=100&page=$page" >"$work/page"
    answer=$(look <"$work/page")
    count=${answer%% *}
    case $answer in *' '*) found=${answer#* } ;; esac
    page=$((page + 1))
done

python3 -c 'import json, sys; print(json.dumps({"body": sys.stdin.read()}))' <"$file" >"$work/body"
if [ -n "$found" ]; then
    ask --request "$method" --data-binary "@$work/body" "$one/$found" >/dev/null
elif [ "$changed" -ne 0 ]; then
    ask --request POST --data-binary "@$work/body" "$list" >/dev/null
fi
