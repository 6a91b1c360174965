#!/usr/bin/env bash
set -euo pipefail

help() {
    cat <<'HELP'
Runs the container the way SageMaker runs it: `docker run IMAGE serve`, the model read-only at
/opt/ml/model, a read-only disk with only /tmp writable, and a limit on memory.

  local_test/serve_local.sh [OPTIONS] [MODEL]

MODEL is a model.tar.gz or a folder with the same files in it; `make demo` leaves one at
build/demo/model.tar.gz, which is served where none is named. A browser finds a page at / to try
it with; PLUMBLINE_PAGE=false leaves that out.

  --port PORT        where it listens on this machine (default 8080); Ctrl-C stops it
  --memory LIMIT     what the container may use, as docker writes it (default 2g)
  --isolated         no network at all, as under SageMaker's network isolation: one ping and
                     one picture are sent from inside the container, then it is stopped
  --picture FILE     the picture for --isolated (default: one from local_test/payloads)
  --image IMAGE      the image to run (default plumbline; `make image` builds it)
  --version          say which version of Plumbline this is of

For example:
  make image
  local_test/serve_local.sh build/demo/model.tar.gz
  local_test/predict.sh local_test/payloads/PICTURE.png      (in another terminal)
HELP
}

fail() {
    echo "serve_local.sh: $*" >&2
    exit 1
}

need() { [[ $# -ge 2 ]] || fail "$1 needs a value (--help shows how)"; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=8080 memory=2g image=plumbline isolated='' picture='' model=''
while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help) help && exit ;;
        --version) sed -n 's/^__version__ = "\(.*\)"$/plumbline, version \1/p' "$here/../container/plumbline/__init__.py" && exit ;;
        --isolated) isolated=yes ;;
        --port) need "$@" && port=$2 && shift ;;
        --memory) need "$@" && memory=$2 && shift ;;
        --image) need "$@" && image=$2 && shift ;;
        --picture) need "$@" && picture=$2 && shift ;;
        -*) fail "there is no option $1 (--help lists them)" ;;
        *) [[ -z $model ]] || fail "one model at a time, please: $model or $1?"; model=$1 ;;
    esac
    shift
done

if [[ -z $model ]]; then
    model=$here/../build/demo/model.tar.gz
    [[ -e $model ]] || fail "no MODEL was named, and build/demo/model.tar.gz isn't there: \`make demo\` makes it"
fi
[[ -e $model ]] || fail "$model does not exist"
command -v docker >/dev/null || fail "docker is not installed; \`plumbline serve $model\` needs none"
docker version >/dev/null 2>&1 || fail "docker is installed but its engine does not answer: \`docker version\` says why"
docker image inspect "$image" >/dev/null 2>&1 || fail "there is no image $image: run \`make image\`"

container=plumbline-$$ unpacked=''
cleanup() {
    # As SageMaker ends it: SIGTERM, and SIGKILL 30 seconds later.
    docker stop --time 30 "$container" >/dev/null 2>&1 || true
    docker rm --force "$container" >/dev/null 2>&1 || true
    [[ -z $unpacked ]] || rm -rf "$unpacked"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [[ -f $model ]]; then
    unpacked=$(mktemp -d)
    chmod 755 "$unpacked"
    tar -xzf "$model" -C "$unpacked" || fail "$model could not be unpacked; a model.tar.gz is expected"
    model=$unpacked
fi
model=$(cd "$model" && pwd)

options=(--name "$container" --memory "$memory" --read-only --tmpfs /tmp --volume "$model:/opt/ml/model:ro")

if [[ -z $isolated ]]; then
    # A terminal goes through to the server, which then logs for people.
    [[ ! -t 0 || ! -t 1 ]] || options+=(--interactive --tty)
    options+=(--env "PLUMBLINE_PAGE=${PLUMBLINE_PAGE:-true}")
    echo "Serving on http://localhost:$port, with a page to try the model with; Ctrl-C stops it." >&2
    # In the background, because bash acts on a signal only once a foreground command has ended.
    docker run --rm --publish "$port:8080" "${options[@]}" "$image" serve <&0 &
    wait $!
    exit
fi

if [[ -z $picture ]]; then
    for picture in "$here"/payloads/*.png "$here"/payloads/*.jp*g; do
        [[ ! -f $picture ]] || break
    done
fi
[[ -f $picture ]] || fail "there is no picture to send: name one with --picture FILE"

# The image holds no curl; what it does hold is Python.
request() {
    docker exec --interactive "$container" python3 -c '
import sys
from urllib import error, request

path, body = sys.argv[1], sys.stdin.buffer.read()
headers = {"Content-Type": "application/x-image"} if body else {}
try:
    answer = request.urlopen(
        request.Request("http://127.0.0.1:8080" + path, body or None, headers), timeout=60
    )
except error.HTTPError as refused:
    answer = refused
except OSError as problem:
    sys.exit(f"no answer yet: {problem}")
print(answer.status, answer.read().decode(errors="replace"))
sys.exit(answer.status >= 400)
' "$1"
}

docker run --detach --network none "${options[@]}" "$image" serve >/dev/null
echo "GET /ping"
said=''
# SageMaker waits 8 minutes for the first healthy ping.
deadline=$((SECONDS + 480))
until answer=$(request /ping </dev/null 2>&1); do
    [[ $answer == "$said" ]] || echo "$answer"
    said=$answer
    if [[ $(docker inspect --format '{{.State.Running}}' "$container") != true ]]; then
        docker logs "$container" >&2
        fail "the server stopped before it was healthy; its log is above"
    fi
    if ((SECONDS > deadline)); then
        docker logs "$container" >&2
        fail "not healthy after 8 minutes; the server's log is above"
    fi
    sleep 0.5
done
echo "$answer"

echo "POST /invocations  < $picture"
request /invocations <"$picture" || {
    docker logs "$container" >&2
    fail "the picture was refused; the server's log is above"
}
