#!/usr/bin/env bash
set -euo pipefail

help() {
    cat <<'HELP'
Trains in the container the way SageMaker runs a training job: `docker run IMAGE train`, with the
job's files, channels and limits below /opt/ml, and SIGTERM before SIGKILL.

  local_test/train_local.sh [OPTIONS] DIR

DIR holds a folder of pictures for each class; or folders that are called as channels (train,
validation, …) with pictures, .rec or .lst files, or augmented manifests in them.

  --set NAME=VALUE   a hyperparameter, such as --set epochs=20; may be repeated
  --out FOLDER       where model.tar.gz and output.tar.gz go (default results)
  --memory LIMIT     what the container may use, as docker writes it
  --isolated         no network, as under SageMaker's network isolation
  --image IMAGE      the image to run (default plumbline; `make image` builds it)
  --version          say which version of Plumbline this is of

`python3 local_test/sagemaker_local.py training --help` lists more.

For example:
  make image
  local_test/train_local.sh photos/ --set size=96 --set epochs=20
  local_test/serve_local.sh results/model.tar.gz
HELP
}

fail() {
    echo "train_local.sh: $*" >&2
    exit 1
}

need() { [[ $# -ge 2 ]] || fail "$1 needs a value (--help shows how)"; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=results image=plumbline data='' options=()
while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help) help && exit ;;
        --version) sed -n 's/^__version__ = "\(.*\)"$/plumbline, version \1/p' "$here/../container/plumbline/__init__.py" && exit ;;
        --out) need "$@" && out=$2 && shift ;;
        --image) need "$@" && image=$2 && shift ;;
        --isolated) options+=("$1") ;;
        --set | --memory | --env | --checkpoints | --stop-after) need "$@" && options+=("$1" "$2") && shift ;;
        -*) fail "there is no option $1 (--help lists them)" ;;
        *) [[ -z $data ]] || fail "one folder at a time, please: $data or $1?"; data=$1 ;;
    esac
    shift
done

[[ -n $data ]] || fail "no DIR was named (--help shows what it holds)"
[[ -d $data ]] || fail "there is no folder $data"
command -v python3 >/dev/null || fail "python3 is not installed"
command -v docker >/dev/null || fail "docker is not installed; \`plumbline train $data\` needs none"
docker version >/dev/null 2>&1 || fail "docker is installed but its engine does not answer: \`docker version\` says why"
docker image inspect "$image" >/dev/null 2>&1 || fail "there is no image $image: run \`make image\`"

exec python3 "$here/sagemaker_local.py" training --data "$data" --out "$out" --image "$image" ${options[@]+"${options[@]}"}
