# The server and the training as SageMaker runs them: `docker run IMAGE serve`, `… train`.
# Written for Docker's classic builder too, so without BuildKit's mounts and --chmod.
# DL3008: Debian's mirrors keep the newest version alone, and that is the one without known holes.
# hadolint global ignore=DL3003,DL3008
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS tools
# Nothing of this stage is shipped but what others copy.
# hadolint ignore=DL3009
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils python3-venv
# pip works from outside, so that the environment that is shipped never holds it. Its wheel is there,
# which PLUMBLINE_INSTALL_REQUIREMENTS=1 runs as it is.
RUN python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/venv
ENV INSTALL="/opt/pip/bin/pip --python /opt/venv install --no-cache-dir --quiet --only-binary :all: --require-hashes --no-deps"
# What OpenVINO needs for graphics cards and neural processors, 60 MB, is left out: nothing here
# uses them.
ENV UNUSED="openvino/libs/*_gpu_plugin.so openvino/libs/*_npu_plugin.so openvino/libs/cache.json"

FROM tools AS code
COPY LICENSE container /opt/plumbline/
# Any user may run the server, whatever umask the checkout was made under. The bytecode is made
# here because the disk is read-only there, and trusted unchecked because it cannot go stale.
RUN chmod -R u=rwX,go=rX /opt/plumbline \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/plumbline

FROM ${BASE_IMAGE} AS runtime
ARG BASE_IMAGE
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-pip-whl \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
    && mkdir -p /opt/ml/model \
    && ln -s /opt/plumbline/pip /usr/local/bin/pip \
    && ln -s /opt/plumbline/pip /usr/local/bin/pip3

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/plumbline \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      com.amazonaws.sagemaker.capabilities.multi-models=true \
      org.opencontainers.image.title=plumbline \
      org.opencontainers.image.description="Serves a Keras or TensorFlow image model behind Amazon SageMaker's container contract" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.base.name=${BASE_IMAGE}

EXPOSE 8080
# In exec form, because SageMaker appends its own argument, and what runs must get SIGTERM itself.
# Without CMD, because SageMaker's ModelTrainer names no command in its local mode, and means train.
ENTRYPOINT ["/opt/plumbline/serve"]

FROM tools AS slim-build
COPY requirements/slim.txt /tmp/requirements.txt
RUN $INSTALL --requirement /tmp/requirements.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -f $UNUSED

# What the inventories are made from, beside an environment's own packages.
FROM tools AS facts
COPY --from=runtime /var/lib/dpkg/status /usr/lib/os-release /usr/share/doc /tmp/facts/debian/
COPY --from=code /opt/plumbline /tmp/facts/plumbline
COPY images/inventory.py /tmp/facts/

FROM slim-build AS slim-inventory
ARG BASE_IMAGE
COPY --from=facts /tmp/facts /tmp/facts
RUN /opt/venv/bin/python /tmp/facts/inventory.py slim "$BASE_IMAGE" /tmp/facts /opt/inventory

# For archives that `plumbline pack` has accelerated: without TensorFlow, a third as large.
FROM runtime AS slim
COPY --from=slim-build /opt/venv /opt/venv
COPY --from=code /opt/plumbline /opt/plumbline
COPY --from=slim-inventory /opt/inventory /usr/share/doc/plumbline

# What every image needs is there already; the classic builder makes that stage in any case.
FROM slim-build AS build
# Another set of packages is another lock, named by this argument.
ARG REQUIREMENTS=requirements/server.txt
COPY ${REQUIREMENTS} /tmp/requirements.txt
# TensorFlow's wheel brings the headers and, through libclang, the parser for writing operators
# in C++ (350 MB), and its libraries are not stripped (200 MB): nothing that serves reads either.
# Other wheels' libraries are left alone, because strip breaks those that auditwheel rewrote.
RUN $INSTALL --requirement /tmp/requirements.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -rf tensorflow/include tensorflow/xla_aot_runtime_src clang $UNUSED \
    && find . -path './tensorflow/*.so*' -type f -exec strip --strip-unneeded {} +

FROM build AS inventory
ARG BASE_IMAGE
COPY --from=facts /tmp/facts /tmp/facts
RUN /opt/venv/bin/python /tmp/facts/inventory.py server "$BASE_IMAGE" /tmp/facts /opt/inventory

# For whatever there is. The code comes last: a change to it costs a layer of a few megabytes, in
# the build and in the push.
FROM runtime AS server
COPY --from=build /opt/venv /opt/venv
COPY --from=code /opt/plumbline /opt/plumbline
COPY --from=inventory /opt/inventory /usr/share/doc/plumbline

FROM slim-build AS gpu-build
COPY requirements/gpu.txt /tmp/requirements.txt
# Beside TensorFlow's headers, those of CUDA.
RUN $INSTALL --requirement /tmp/requirements.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -rf tensorflow/include tensorflow/xla_aot_runtime_src clang nvidia/*/include $UNUSED \
    && find . -path './tensorflow/*.so*' -type f -exec strip --strip-unneeded {} +

FROM gpu-build AS gpu-inventory
ARG BASE_IMAGE
COPY --from=facts /tmp/facts /tmp/facts
RUN /opt/venv/bin/python /tmp/facts/inventory.py gpu "$BASE_IMAGE" /tmp/facts /opt/inventory

# For instances with NVIDIA's GPUs, on x86_64. The driver comes from the host, with NVIDIA's runtime.
FROM runtime AS gpu
COPY --from=gpu-build /opt/venv /opt/venv
COPY --from=code /opt/plumbline /opt/plumbline
COPY --from=gpu-inventory /opt/inventory /usr/share/doc/plumbline
# OpenVINO would compute on the CPU. One process, because each would have its own copy of the model
# in the GPU's memory; two batches at a time, so that one is copied while the other is computed.
# Without TensorFloat-32, which rounds to 10 bits, so that answers stay those of the notebook.
ENV PLUMBLINE_ENGINE=tensorflow \
    PLUMBLINE_WORKERS=1 \
    PLUMBLINE_BATCH=32 \
    PLUMBLINE_PARALLEL_BATCHES=2 \
    TF_FORCE_GPU_ALLOW_GROWTH=true \
    NVIDIA_TF32_OVERRIDE=0 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# What `docker build .` makes.
FROM server
