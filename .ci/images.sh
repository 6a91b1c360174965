#!/usr/bin/env bash
# The images that the container tests want, built as soon as Docker's engine answers. `.ci/run` runs
# this beside everything that needs none; tests/container takes the same lock, and so waits for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p build
exec 9>build/test-images.lock
flock 9

for _ in {1..60}; do
    docker version >/dev/null 2>&1 && break
    sleep 1
done
docker version >/dev/null || {
    echo "Docker's engine did not start" >&2
    exit 1
}

.ci/base-image.sh debian:trixie-slim
# The classic builder makes the slim image on its way to the other.
make image IMAGE=plumbline-test TARGET=server DOCKER_BUILD_FLAGS="${DOCKER_BUILD_FLAGS:-}"
make image IMAGE=plumbline-test-slim TARGET=slim DOCKER_BUILD_FLAGS="${DOCKER_BUILD_FLAGS:-}"
