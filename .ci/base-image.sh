#!/usr/bin/env bash
# Makes the base image from Debian's own packages, for machines that reach Debian's mirrors
# but no image registry. Where a registry answers, the Dockerfile needs none of this.
set -euo pipefail

image=${1:-debian:trixie-slim}
suite=${image#debian:}
suite=${suite%-slim}

if docker image inspect "$image" >/dev/null 2>&1; then
    exit 0
fi

root=$(mktemp -d)
chmod 755 "$root"
trap 'rm -rf "$root"' EXIT

# A third of debootstrap's work: it unpacks by one call of dpkg.
if ! mmdebstrap --variant=minbase --include=ca-certificates "$suite" "$root" >"$root.log" 2>&1; then
    tail -n 20 "$root.log" >&2
    rm -f "$root.log"
    exit 1
fi
rm -f "$root.log"

# A build behind a TLS-inspecting proxy must trust what this machine trusts.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

# What makes the published image "slim"; copyright files stay, as their licences ask.
find "$root/usr/share/doc" -depth -type f ! -name copyright -delete
rm -rf "$root"/usr/share/{man,info,locale}/* \
    "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*

tar -C "$root" -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null
