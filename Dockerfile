# The server as SageMaker runs it: `docker run IMAGE serve`.
# Written for Docker's classic builder too, so without BuildKit's mounts and --chmod.
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils python3-venv
# pip works from outside, so that the environment that is shipped never holds it.
RUN python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/venv
# Another set of packages (one without TensorFlow, say) is another lock, named by this argument.
ARG REQUIREMENTS=requirements/server.txt
COPY ${REQUIREMENTS} /tmp/requirements.txt
# TensorFlow's wheel brings the headers and, through libclang, the parser for writing operators
# in C++ (350 MB), and its libraries are not stripped (200 MB): nothing that serves reads either.
# Other wheels' libraries are left alone, because strip breaks those that auditwheel rewrote.
RUN /opt/pip/bin/pip --python /opt/venv install --no-cache-dir --quiet \
        --only-binary :all: --require-hashes --no-deps --requirement /tmp/requirements.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -rf tensorflow/include tensorflow/xla_aot_runtime_src clang \
    && find . -path './tensorflow/*.so*' -type f -exec strip --strip-unneeded {} +
COPY LICENSE container /opt/plumbline/
# Any user may run the server, whatever umask the checkout was made under. The bytecode is made
# here because the disk is read-only there, and trusted unchecked because it cannot go stale.
RUN chmod -R u=rwX,go=rX /opt/plumbline \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/plumbline

FROM ${BASE_IMAGE} AS server
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
    && mkdir -p /opt/ml/model
# The code comes last: a change to it costs a layer of 4 MB, most of it fonts, in the build and in the push.
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/plumbline /opt/plumbline

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/plumbline \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      com.amazonaws.sagemaker.capabilities.multi-models=true \
      org.opencontainers.image.title=plumbline \
      org.opencontainers.image.description="Serves a Keras or TensorFlow image model behind Amazon SageMaker's container contract" \
      org.opencontainers.image.licenses=Apache-2.0

EXPOSE 8080
# In exec form, because SageMaker appends its own argument and the server must get SIGTERM itself.
ENTRYPOINT ["/opt/plumbline/serve"]
CMD ["serve"]
