#!/usr/bin/env bash
# Makes the base image from Debian's own packages, for machines that reach Debian's mirrors
# but no image registry. Where a registry answers, the Dockerfile needs none of this.
# Another processor than this machine's, such as arm64, needs qemu-user-static and arch-test.
set -euo pipefail

image=${1:-debian:trixie-slim}
architecture=${2:-$(dpkg --print-architecture)}
suite=${image#debian:}
suite=${suite%%-slim*}

if docker image inspect "$image" >/dev/null 2>&1; then
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -m 755 "$root"

# A third of debootstrap's work: it unpacks by one call of dpkg.
if ! mmdebstrap --architectures="$architecture" --variant=minbase --include=ca-certificates \
    "$suite" "$root" >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    exit 1
fi

# A build behind a TLS-inspecting proxy must trust what this machine trusts.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

# What makes the published image "slim"; copyright files stay, as their licences ask.
find "$root/usr/share/doc" -depth -type f ! -name copyright -delete
rm -rf "$root"/usr/share/{man,info,locale}/* \
    "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*

# `docker import` would call it an image of this machine's processor, whatever it is.
tar -C "$root" -cf "$work/layer.tar" .
checksum=$(sha256sum "$work/layer.tar" | cut -d ' ' -f 1)
cat >"$work/config.json" <<JSON
{"architecture": "$architecture", "os": "linux", "config": {"Cmd": ["bash"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$checksum"]}}
JSON
cat >"$work/manifest.json" <<JSON
[{"Config": "config.json", "RepoTags": ["$image"], "Layers": ["layer.tar"]}]
JSON
tar -C "$work" -c manifest.json config.json layer.tar | docker load --quiet >/dev/null
