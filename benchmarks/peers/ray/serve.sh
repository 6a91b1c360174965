#!/bin/sh
set -eu
export RAY_USAGE_STATS_ENABLED=0
exec python "$(dirname "$0")/server.py"
