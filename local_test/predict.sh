#!/usr/bin/env bash
set -euo pipefail

help() {
    cat <<'HELP'
Sends a picture to a running server and prints its answer.

  local_test/predict.sh PICTURE [URL]

URL is where the server is (default http://localhost:8080); start one with `make demo`,
`plumbline serve MODEL` or local_test/serve_local.sh. The content type follows the file's
extension; where that says nothing, the server looks at the bytes (application/x-image).
Fails where the server refuses the picture, and shows its reason. --version says which version of
Plumbline this is of.

For example:
  local_test/predict.sh photo.jpg
  local_test/predict.sh photo.jpg http://localhost:9000
HELP
}

fail() {
    echo "predict.sh: $*" >&2
    exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1:-} in
    -h | --help) help && exit ;;
    --version) sed -n 's/^__version__ = "\(.*\)"$/plumbline, version \1/p' "$here/../container/plumbline/__init__.py" && exit ;;
    '') help >&2 && exit 2 ;;
esac
[[ $# -le 2 ]] || fail "one picture at a time, please (--help shows how)"

picture=$1
url=${2:-http://localhost:8080}
url=${url%/}
url=${url%/invocations}/invocations
[[ -f $picture ]] || fail "$picture is not a file"
command -v curl >/dev/null || fail "curl is not installed"

case $(printf %s "${picture##*.}" | tr '[:upper:]' '[:lower:]') in
    jpg | jpeg) type=image/jpeg ;;
    png) type=image/png ;;
    webp) type=image/webp ;;
    gif) type=image/gif ;;
    bmp) type=image/bmp ;;
    tif | tiff) type=image/tiff ;;
    json) type=application/json ;;
    *) type=application/x-image ;;
esac

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
status=$(curl --silent --show-error --output "$answer" --write-out '%{http_code}' \
    --header "Content-Type: $type" --data-binary "@$picture" "$url") ||
    fail "$url does not answer; is the server running? \`make demo\` starts one"

show() { python3 -m json.tool "$answer" 2>/dev/null || cat "$answer"; }

if [[ $status -ge 400 ]]; then
    show >&2
    fail "the server answered $status"
fi
show
