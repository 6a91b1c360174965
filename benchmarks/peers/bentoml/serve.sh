#!/bin/sh
set -eu
cd "$(dirname "$0")"
export BENTOML_HOME="$BENCH_TMP" BENTOML_DO_NOT_TRACK=True
exec bentoml serve service:Pictures --host 127.0.0.1 --port "$BENCH_PORT"
