#!/bin/sh
# The main job, on real input: push specs, see what changes, sync, break one spec, read the report.
# It runs git and the installed llmkube, nothing else, and fails when a promised result is absent.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
demo=${DEMO_DIR:-$here/.demo}
rm -rf "$demo"
mkdir -p "$demo"
cd "$demo"

# a repository of its own: no identity, hook, signature or template of whoever runs this
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME="A Model Owner" GIT_AUTHOR_EMAIL=owner@example.com
export GIT_COMMITTER_NAME="A Model Owner" GIT_COMMITTER_EMAIL=owner@example.com
export LLMKUBE_REPO="$demo/remote.git" LLMKUBE_CLUSTER_NAME=demo LLMKUBE_TARGET=dir:rendered

bold=''
plain=''
if [ -t 1 ]; then
  bold=$(printf '\033[1m')
  plain=$(printf '\033[0m')
fi

step() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }

# quoted WORD...: the words as one would type them
quoted() {
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./:=~%@,-]*) printf ' "%s"' "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
}

# run EXPECTED-EXIT-CODE COMMAND...: echo it, run it, hold it to its exit code
run() {
  expected=$1
  shift
  printf '%s$%s%s\n' "$bold" "$(quoted "$@")" "$plain"
  code=0
  "$@" || code=$?
  if [ "$code" -ne "$expected" ]; then
    printf 'demo: exit code %s where %s was promised: %s\n' "$code" "$expected" "$*" >&2
    exit 1
  fi
}

# has TEXT FILE, lacks TEXT FILE: what is promised of a file
has() { grep -qe "$1" "$2" || { printf 'demo: %s does not hold %s\n' "$2" "$1" >&2; exit 1; }; }
lacks() { ! grep -qe "$1" "$2" || { printf 'demo: %s holds %s\n' "$2" "$1" >&2; exit 1; }; }

# edit SED-SCRIPT FILE
edit() {
  printf '%s$ sed "%s" %s%s\n' "$bold" "$1" "$2" "$plain"
  sed "$1" "$2" >"$2.new"
  mv "$2.new" "$2"
}

step "A team's repository of model specs, and its remote"
run 0 git init --quiet --bare --initial-branch=main remote.git
cp -R "$here/example-repo" work
cd work
git init --quiet --initial-branch=main
git add .
run 0 git commit --quiet --message "models: serve seven models"
run 0 git push --quiet "$LLMKUBE_REPO" main
run 0 llmkube validate .
cd ..

step "The first sync writes every manifest"
run 0 llmkube sync
has "'1'\|: 1" rendered/llm/deployment-llama-3-1-8b.yaml
has "1,1,1,1" rendered/llm/deployment-llama-70b.yaml

step "A second one finds nothing to do"
run 0 llmkube sync

step "A model grows from one GPU to two: commit, push, look, sync"
cd work
edit 's/gpuCount: 1/gpuCount: 2/' models/llama-3.1-8b/llm.yaml
run 0 git commit --quiet --all --message "llama-3.1-8b: use two GPUs"
run 1 llmkube diff --repo . --from HEAD~1 --to HEAD
run 0 git push --quiet "$LLMKUBE_REPO" main
cd ..
run 0 llmkube sync
has "nvidia.com/gpu: '2'" rendered/llm/deployment-llama-3-1-8b.yaml
has "1,1" rendered/llm/deployment-llama-3-1-8b.yaml

step "Somebody breaks one spec, and changes another in the same push: only the broken one is held back"
cp rendered/llm/deployment-llama-13b.yaml before.yaml
cd work
edit 's/gpuCount: 2/gpuCounts: 2/' models/llama-13b/llm.yaml
edit 's/contextSize: 8192/contextSize: 4096/' models/smollm2-135m/llm.yaml
run 0 git commit --quiet --all --message "llama-13b: a typo; smollm2-135m: less context"
run 0 git push --quiet "$LLMKUBE_REPO" main
cd ..
run 1 llmkube sync
run 0 cmp before.yaml rendered/llm/deployment-llama-13b.yaml
has "'4096'" rendered/llm/deployment-smollm2-135m.yaml
lacks "'8192'" rendered/llm/deployment-smollm2-135m.yaml

step "What the reconciler reports, in git"
run 1 llmkube status
run 0 git -C remote.git log --format=%s llmkube-status/demo
run 0 git -C remote.git show llmkube-status/demo:README.md
git -C remote.git show llmkube-status/demo:README.md >report.md
has "llama-13b" report.md
has "Invalid" report.md
has "models/llama-13b/llm.yaml" report.md

step "The demo kept its promises. Look around in .demo: rendered/ is what a cluster would get."
