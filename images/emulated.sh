#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

help() {
    cat <<'HELP'
Builds an image for arm64 on a machine of another processor, with QEMU's emulation, serves the
demo's archive with it and sends it a picture. This takes long (see docs/images.md), and shows that
the image starts and predicts correctly, not how fast it is.

  images/emulated.sh [slim|server]      (default: slim)

  --version          say which version of Plumbline this is of
HELP
}

target=${1:-slim}
case $target in
    slim | server) ;;
    --help | -h) help && exit ;;
    --version) sed -n 's/^__version__ = "\(.*\)"$/plumbline, version \1/p' container/plumbline/__init__.py && exit ;;
    *) echo "images/emulated.sh: the target is slim or server, not $target (--help says more)" >&2 && exit 2 ;;
esac
platform=linux/arm64
image=plumbline-$target-arm64

say() { echo "images/emulated.sh: $*" >&2; }

if [[ $(uname -m) != aarch64 ]] && ! grep -qs '^enabled' /proc/sys/fs/binfmt_misc/qemu-aarch64; then
    say "this machine runs no programs of arm64 yet. On Debian and Ubuntu: sudo apt-get install" \
        "qemu-user-static binfmt-support; elsewhere: docker run --privileged --rm tonistiigi/binfmt" \
        "--install arm64"
    exit 1
fi

base=${BASE_IMAGE:-debian:trixie-slim}
if ! base=$(images/base.sh "$base" "$platform" 2>/dev/null); then
    # No registry answers: Debian's own packages make it.
    base=debian:trixie-slim-arm64
    say "making $base"
    .ci/base-image.sh "$base" arm64
fi

make image IMAGE="$image" TARGET="$target" BASE_IMAGE="$base" \
    DOCKER_BUILD_FLAGS="--platform $platform ${DOCKER_BUILD_FLAGS:-}"
make build/demo/model.tar.gz

model=$(mktemp -d)
container=''
cleanup() {
    [[ -z $container ]] || docker rm --force "$container" >/dev/null
    rm -rf "$model"
}
trap cleanup EXIT
tar -xzf build/demo/model.tar.gz -C "$model"
chmod -R a+rX "$model"

began=$SECONDS
# Graviton2's cores. QEMU's own default emulates SME, too, which no Graviton has, and with which
# OpenVINO's answers come out wrong under QEMU 7.2.
container=$(docker run --detach --platform "$platform" --env QEMU_CPU=neoverse-n1 --publish 127.0.0.1::8080 \
    --volume "$model:/opt/ml/model:ro" "$image" serve)
address=$(docker port "$container" 8080)
until curl --silent --fail --max-time 10 "http://$address/ping"; do
    if [[ $(docker inspect --format '{{.State.Running}}' "$container") != true ]] ||
        ((SECONDS - began > 900)); then
        docker logs "$container" >&2
        say "it does not start"
        exit 1
    fi
    sleep 1
done
say "ready after $((SECONDS - began)) s"
docker exec "$container" uname -m >&2
answer=$(curl --silent --fail --max-time 120 --header 'Content-Type: image/png' \
    --data-binary @build/demo/pictures/three.png "http://$address/invocations")
echo "$answer"
docker logs "$container" >&2
[[ $answer == *'"label":"three"'* ]]
