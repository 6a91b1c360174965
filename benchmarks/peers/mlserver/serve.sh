#!/bin/sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export MLSERVER_HTTP_PORT="$BENCH_PORT" MLSERVER_GRPC_PORT="$((BENCH_PORT + 1))"
export MLSERVER_METRICS_PORT="$((BENCH_PORT + 2))" PYTHONPATH="$here:$PYTHONPATH"
# It writes beside its settings.
cp "$here"/*.json "$BENCH_TMP"
cd "$BENCH_TMP"
exec mlserver start .
