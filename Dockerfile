# Foresail as an image: `make image`. Wheels only, from the lock file with its hashes; the last stage has no uv and no pip cache.
#
# The base is pinned by tag and digest (the index of amd64 and arm64). The digest was taken from public files that use
# it, for no registry could be asked where this was written; a wrong one fails the build, it never builds something else.
# To renew it: docker buildx imagetools inspect python:3.13.15-slim-trixie
ARG PYTHON_IMAGE=docker.io/library/python:3.13.15-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285

FROM ${PYTHON_IMAGE} AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/opt/foresail
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary :all: uv==0.13.9
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --extra server --no-install-project --no-build --no-cache
COPY autoscaler autoscaler
COPY models models
RUN uv sync --locked --no-dev --extra server --no-editable --no-cache

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Foresail" \
      org.opencontainers.image.description="Predictive autoscaler for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN install -d -o 65532 -g 65532 -m 0750 /var/lib/foresail
COPY --from=build /opt/foresail /opt/foresail
# Nothing is written but below /var/lib/foresail and /tmp: the root may be read-only.
ENV PATH=/opt/foresail/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/foresail MPLCONFIGDIR=/tmp/matplotlib OMP_NUM_THREADS=1
USER 65532:65532
WORKDIR /var/lib/foresail
EXPOSE 9464
ENTRYPOINT ["foresail"]
CMD ["--help"]
