#!/bin/sh
# nginx in front of gunicorn's sync workers, one a core, as the sample's `serve` starts them.
set -eu
here=$(dirname "$0")
sed -e "s|@FOLDER@|$BENCH_TMP|" -e "s|@PORT@|$BENCH_PORT|" "$here/nginx.conf.in" >"$BENCH_TMP/nginx.conf"
nginx -c "$BENCH_TMP/nginx.conf" -e "$BENCH_TMP/error.log" &
exec gunicorn --timeout 60 --worker-class sync --bind "unix:$BENCH_TMP/gunicorn.sock" \
    --workers "$(nproc)" --chdir "$here" --no-control-socket predictor:app
