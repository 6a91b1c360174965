#!/usr/bin/env bash
# Written for the bash 3.2 of macOS.
set -euo pipefail

help() {
    cat <<'HELP'
Builds the image, pushes it to your account's registry (Amazon ECR), and prints the URI that
deploy.py takes. Before anything is made it says which account and region it is about to use.

  ./build_and_push.sh [OPTIONS]

  --account ID       stop unless the credentials are of this account (12 digits)
  --region REGION    default: that of your AWS setup
  --profile NAME     one of the profiles in ~/.aws
  --repository NAME  default plumbline; made where it is missing: images are scanned when pushed,
                     tags stay what they are, untagged images are removed after 14 days
  --keep N           remove all images but the newest N from a repository that was made here
  --tag TAG          default: version, target, processor and the image's own checksum, so that
                     the same image always has the same tag and another image another
  --target TARGET    default: everything, with TensorFlow; slim: without it, a third as large, for
                     archives that `plumbline pack` has accelerated; gpu: TensorFlow with CUDA, for
                     ml.g* instances (docs/images.md)
  --platform NAME    linux/amd64 (default) or linux/arm64, for Graviton instances such as ml.c7g
  --version          say which version of Plumbline this is of

The base image is pulled by the digest that its tag has now, which the image's label base.name tells.
What the image is made of (CycloneDX) is written to build/sbom/TAG.cdx.json.

Again with the same image it changes nothing and prints the same URI. The URI is the only thing on
standard output, so that a script can keep it:

  image=$(./build_and_push.sh --account 123456789012 --region eu-central-1)
  plumbline deploy up digits --image "$image" --model model.tar.gz --role ROLE

Needs Docker and Python 3.11 or newer with boto3 and rich (`make venv` installs both), and no AWS
command line. Environment: PLUMBLINE_REGISTRY (such as registry.example.com:5000) pushes there instead,
without asking AWS for anything, as whoever `docker login` made you; AWS_ENDPOINT_URL asks another
than AWS; DOCKER_BUILD_FLAGS and BASE_IMAGE go to the build, as of `make image`.
HELP
}

# What is said goes to standard error; 3 is for the URI.
exec 3>&1 1>&2

say() { echo "$*"; }

fail() {
    echo "build_and_push.sh: $*"
    exit 1
}

need() { [[ $# -ge 2 && -n $2 ]] || fail "$1 needs a value (--help shows how)"; }

cd "$(dirname "${BASH_SOURCE[0]}")"
account='' region='' profile='' repository=plumbline keep='' tag='' target=default platform=linux/amd64
while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help) help >&3 && exit ;;
        --version) sed -n 's/^__version__ = "\(.*\)"$/plumbline, version \1/p' container/plumbline/__init__.py >&3 && exit ;;
        --account) need "$@" && account=$2 && shift ;;
        --region) need "$@" && region=$2 && shift ;;
        --profile) need "$@" && profile=$2 && shift ;;
        --repository) need "$@" && repository=$2 && shift ;;
        --keep) need "$@" && keep=$2 && shift ;;
        --tag) need "$@" && tag=$2 && shift ;;
        --target) need "$@" && target=$2 && shift ;;
        --platform) need "$@" && platform=$2 && shift ;;
        *) fail "there is no option $1 (--help lists them)" ;;
    esac
    shift
done

registry=${PLUMBLINE_REGISTRY:-}
matches() { printf '%s\n' "$1" | LC_ALL=C grep -qxE "$2"; }
case $target in
    default) stage=server ;;
    slim | gpu) stage=$target ;;
    *) fail "--target $target: it must be default, slim or gpu" ;;
esac
case $platform in
    linux/amd64 | linux/arm64) ;;
    *) fail "--platform $platform: it must be linux/amd64 or linux/arm64; SageMaker has no others" ;;
esac
[[ $target-$platform != gpu-linux/arm64 ]] ||
    fail "--target gpu is for linux/amd64 alone: TensorFlow has no wheel with CUDA for other processors"
[[ -z $account ]] || matches "$account" '[0-9]{12}' ||
    fail "--account $account: it must be the account's 12 digits"
[[ -z $tag ]] || matches "$tag" '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}' ||
    fail "--tag $tag: it must be up to 128 letters, digits, dots, dashes and underlines, no dot or dash first"
[[ -z $keep ]] || matches "$keep" '[1-9][0-9]{0,3}' || fail "--keep $keep: it must be a number such as 10"
matches "$repository" '[a-z0-9]{2,}([._/-][a-z0-9]+)*' ||
    fail "--repository $repository: it must be of small letters and digits, with single . _ - / between them"
if [[ -n $registry ]]; then
    matches "$registry" '[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._/-]*[a-z0-9])?' ||
        fail "PLUMBLINE_REGISTRY=$registry: it must be like registry.example.com:5000, without https:// and without a / at the end"
    [[ -z $account$region$profile ]] ||
        fail "--account, --region and --profile are of AWS, which nobody asks while PLUMBLINE_REGISTRY is set; unset it, or leave them out"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
log=$work/log

# The first of `meanings` whose words are in the log's end, or the sentence `$2`. A line of meanings
# is WORDS~OTHER WORDS|SENTENCE.
explain() {
    local words sentence
    while IFS='|' read -r words sentence; do
        if tail -n 30 "$log" | LC_ALL=C grep -qiE "${words//\~/|}"; then
            fail "$sentence"
        fi
    done <<<"$1"
    fail "$2"
}

build_meanings() {
    cat <<MEANINGS
no space left on device~disk quota exceeded|Docker's disk is full. \`docker system df\` shows what fills it, \`docker system prune\` removes what nothing uses any more; Docker Desktop's disk is made larger in its settings (Resources)
exec format error~no match for platform~does not match the specified platform~no matching manifest~platform is not supported|this Docker engine can't build for $platform. Docker Desktop can; on Linux \`docker run --privileged --rm tonistiigi/binfmt --install ${platform#linux/}\` teaches it, or build on a machine with that processor
buildx component is missing|Docker asks for its buildx plugin, which is missing. Install it (docker-buildx or docker-buildx-plugin), or set DOCKER_BUILDKIT=0
toomanyrequests|the registry of the base image has had too many requests from here. \`docker login\` raises the limit; BASE_IMAGE names the base image in another registry
pull access denied|the base image can't be had; BASE_IMAGE names another
connection refused~no such host~i/o timeout~TLS handshake timeout~Temporary failure~connection reset~could not resolve~Network is unreachable|the network failed; the lines above say where. The same command goes on where it stopped
Cannot connect to the Docker daemon|Docker's engine went away; \`docker version\` says why
MEANINGS
}

push_meanings() {
    cat <<MEANINGS
not authorized to perform|$(missing_permission)
tag is immutable~cannot be overwritten|$repository has the tag $tag already, for another image, and its tags stay what they are. Choose another --tag, or leave it out
name unknown~repository with name|$registry has no repository $repository
no basic auth credentials~authorization token has expired~authentication required~unauthorized|$registry does not know you. $relogin
denied|$registry refuses the image. $relogin
server gave HTTP response to HTTPS client|$registry speaks HTTP alone. Docker's engine must be told so ("insecure-registries" in its daemon.json)
no space left on device~disk quota exceeded|the disk is full, Docker's or the registry's; \`docker system df\` shows what fills Docker's
connection refused~no such host~i/o timeout~TLS handshake timeout~connection reset~unexpected EOF~Network is unreachable|$registry can't be reached. The same command goes on where it stopped
Cannot connect to the Docker daemon|Docker's engine went away; \`docker version\` says why
MEANINGS
}

missing_permission() {
    local action resource
    action=$(sed -n 's/.*not authorized to perform: \([A-Za-z0-9-]*:[A-Za-z]*\).*/\1/p' "$log" | head -n 1)
    resource=$(sed -n 's/.* on resource: \(arn:[^ ]*\).*/\1/p' "$log" | head -n 1)
    printf 'your credentials lack %s; whoever manages the account adds {"Effect": "Allow", "Action": "%s", "Resource": "%s"} to your policy, or all that plumbline deploy account --policy person prints' \
        "${action:-a permission}" "${action:-ecr:*}" "${resource:-*}"
}

# -- who is asked -------------------------------------------------------------------------------

command -v docker >/dev/null ||
    fail "docker is not installed; https://docs.docker.com/get-docker says how, and on Debian and Ubuntu it is \`sudo apt-get install docker.io\`"
command -v make >/dev/null || fail "make is not installed; on Debian and Ubuntu: sudo apt-get install make"
if ! native=$(docker version --format '{{.Server.Os}}/{{.Server.Arch}}' 2>"$log"); then
    if grep -qi 'permission denied' "$log"; then
        fail "you may not use Docker: \`sudo usermod -aG docker $(id -un)\` and a new login allow it"
    fi
    fail "docker is installed, but its engine does not answer. Start Docker Desktop, or \`sudo systemctl start docker\`; \`docker version\` says more"
fi

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} .venv/bin/python python3; do
        if "$candidate" -c 'import sys; from importlib.util import find_spec; sys.exit(not (sys.version_info >= (3, 11) and find_spec("boto3") and find_spec("rich")))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

aws() {
    "$python" -m deployment.aws.registry "$1" --repository "$repository" \
        ${account:+--account "$account"} ${region:+--region "$region"} ${profile:+--profile "$profile"} \
        ${keep:+--keep "$keep"}
}

relogin="Log in to it first: docker login ${registry%%/*}"
if [[ -z $registry ]]; then
    relogin="Try again; a login lasts 12 hours."
    # As the AWS command line has it; boto3 reads AWS_DEFAULT_REGION alone.
    region=${region:-${AWS_REGION:-}}
    python=$(find_python) ||
        fail "no Python 3.11 or newer with boto3 and rich was found (PYTHON=… names one). \`make venv\` installs them with everything else; by themselves: \`python3 -m pip install boto3 rich\`"
    uri=$(aws prepare) || exit
    registry=${uri%%/*}
else
    uri=$registry/$repository
    say "Pushing to $uri, without asking AWS."
fi

# -- build --------------------------------------------------------------------------------------

[[ $platform == "$native" ]] ||
    say "This engine runs on $native; for $platform it must emulate, which is slow and not always set up."
built=plumbline:$target-${platform#linux/}
base=$(images/base.sh "${BASE_IMAGE:-debian:trixie-slim}" "$platform" 2>"$log") || {
    cat "$log"
    explain "$(build_meanings)" "the base image can't be had; BASE_IMAGE names another"
}
say "It is built on $base."
say "Building $built …"
# Attestations would make the image an index of two, which SageMaker does not take.
export BUILDX_NO_DEFAULT_ATTESTATIONS=1
flags="--platform $platform${DOCKER_BUILD_FLAGS:+ $DOCKER_BUILD_FLAGS}"
make image IMAGE="$built" TARGET="$stage" BASE_IMAGE="$base" DOCKER_BUILD_FLAGS="$flags" 2>&1 | tee "$log" ||
    explain "$(build_meanings)" "the image could not be built; the lines above say why"
identity=$(docker image inspect --format '{{.Id}}' "$built") ||
    fail "the build left no image $built in Docker's engine; a builder of buildx's own keeps it to itself unless DOCKER_BUILD_FLAGS=--load, and \`docker buildx use default\` takes the engine's"
made=$(docker image inspect --format '{{.Os}}/{{.Architecture}}' "$built")
if [[ $made != "$platform" ]]; then
    echo "no match for platform" >"$log"
    explain "$(build_meanings)" ""
fi
if [[ -z $tag ]]; then
    version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' container/plumbline/__init__.py)
    checksum=${identity#sha256:}
    tag=$version-$target-${platform#linux/}-${checksum:0:12}
fi
image=$uri:$tag
mkdir -p build/sbom
container=$(docker create "$built") || fail "Docker makes no container of $built"
docker cp "$container:/usr/share/doc/plumbline/sbom.cdx.json" "build/sbom/$tag.cdx.json" >"$log" 2>&1 ||
    { cat "$log" && fail "the image's own list of what it is made of could not be read"; }
docker rm "$container" >"$log" 2>&1 || cat "$log"
say "What it is made of: build/sbom/$tag.cdx.json"

# -- push ---------------------------------------------------------------------------------------

if [[ -z ${PLUMBLINE_REGISTRY:-} ]]; then
    aws password >"$work/password" || exit
    docker login --username AWS --password-stdin "$registry" <"$work/password" >"$log" 2>&1 || {
        cat "$log"
        fail "Docker could not log in to $registry. If it can't store the login (macOS: \"already exists in the keychain\"), \`docker logout $registry\` first"
    }
    rm -f "$work/password"
fi

insecure=''
case $registry in localhost | localhost[:/]* | 127.*) insecure=--insecure ;; esac

# The registry's own word on a tag: $work/manifest, if it has it. Another failure ends us.
look_up() {
    if docker manifest inspect --verbose ${insecure:+"$insecure"} "$image" >"$work/manifest" 2>"$log"; then
        return 0
    fi
    LC_ALL=C grep -qiE 'no such manifest|manifest unknown|not found|name unknown' "$log" && return 1
    cat "$log"
    explain "$(push_meanings)" "the registry could not be asked for $image; the lines above say why"
}

same() { grep -qF "$identity" "$work/manifest"; }

if look_up; then
    same || fail "$uri has the tag $tag already, for another image, and tags stay what they are. Choose another --tag, or leave it out: the default is different for each image"
    say "$image is there already; nothing to push."
else
    say "Pushing $image …"
    docker tag "$built" "$image"
    # Errors are kept, the progress bars go to the terminal.
    { docker push "$image" 2>&1 >&4 4>&- | tee "$log"; } 4>&1 ||
        explain "$(push_meanings)" "the image could not be pushed; the lines above say why"
    if ! look_up || ! same; then
        fail "the registry took $image, but does not show it; run the same command again"
    fi
fi
case $(head -c 1 "$work/manifest") in
    '[') fail "$image is an index of several images, which SageMaker does not take. Was it built with attestations? Leave --attest and --provenance out of DOCKER_BUILD_FLAGS, and choose another --tag" ;;
esac
digest=$(sed -n 's/^.*"digest": *"\(sha256:[0-9a-f]*\)".*$/\1/p' "$work/manifest" | head -n 1)
[[ -n $digest ]] || fail "the registry did not say the digest of $image"
say "This is what deploy.py takes as --image:"
echo "$uri@$digest" >&3
