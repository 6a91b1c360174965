#!/usr/bin/env bash
# What a build takes for its base: `images/base.sh IMAGE PLATFORM` prints the image by the digest that
# its tag has in the registry now, so that all stages have the same, and the image can tell which.
# One that was made here, which no registry knows, stays what it is called.
set -euo pipefail

image=$1 platform=$2
case $image in
    *@sha256:*)
        echo "$image"
        exit
        ;;
esac

if ! refusal=$(docker pull --quiet --platform "$platform" "$image" 2>&1 >/dev/null); then
    there=$(docker image inspect --format '{{.Os}}/{{.Architecture}}' "$image" 2>/dev/null) || there=none
    if [[ $there != "$platform" ]]; then
        echo "$image is not here for $platform, and can't be pulled: $refusal" >&2
        exit 1
    fi
fi
# The same image may have come from other repositories, too; a colon may be that of a port.
repository=$image
[[ ${image##*/} != *:* ]] || repository=${image%:*}
repository=${repository#docker.io/}
while read -r digest; do
    if [[ $digest == "${repository#library/}"@* ]]; then
        image=$digest
    fi
done < <(docker image inspect --format '{{join .RepoDigests "\n"}}' "$image" 2>/dev/null)
echo "$image"
