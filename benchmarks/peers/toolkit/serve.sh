#!/bin/sh
# What the toolkit's start_model_server does, but for the folders, which it wants in /opt and /etc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export SAGEMAKER_BASE_DIR="$BENCH_TMP/ml" TEMP="$BENCH_TMP"
mkdir -p "$SAGEMAKER_BASE_DIR/model"
cp -r "$here/code" "$SAGEMAKER_BASE_DIR/model/code"
export PYTHONPATH="$SAGEMAKER_BASE_DIR/model/code:$PYTHONPATH"
cat >"$BENCH_TMP/mms.properties" <<END
enable_envvars_config=true
decode_input_request=false
load_models=ALL
default_service_handler=sagemaker_inference.default_handler_service
default_workers_per_model=$(nproc)
default_response_timeout=60
inference_address=http://127.0.0.1:$BENCH_PORT
management_address=http://127.0.0.1:$((BENCH_PORT + 1))
vmargs=-XX:-UseContainerSupport
END
log=$(python -c 'import pathlib, sagemaker_inference as s; print(pathlib.Path(s.__file__).parent / "etc/log4j2.xml")')
cd "$BENCH_TMP"
exec multi-model-server --start --foreground --model-store / --mms-config "$BENCH_TMP/mms.properties" \
    --log-config "$log" --models "model=$SAGEMAKER_BASE_DIR/model"
