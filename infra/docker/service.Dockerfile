# One file for every service's image, and for the `carillon` command's (SERVICE=cli). Build it from the repository's
# root: `make images`, or
#
#   docker build --file infra/docker/service.Dockerfile --build-arg SERVICE=receipt --tag carillon/receipt .
#
# BASE_IMAGE  a Debian with Python 3.11 or later; both stages start from it
# SERVICE     a folder of services/, or `cli`: every package, for jobs (indexes, the demo account) and for people
# LEAVE_OUT   libraries that this image does without: receipt and cli write Parquet, so theirs is empty
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore DEBIAN_FRONTEND=noninteractive
RUN apt-get update -q && apt-get install -yq --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/carillon/python
COPY requirements/runtime.txt /build/
RUN /opt/carillon/python/bin/pip install -q --require-hashes -r /build/runtime.txt

# What services share. phonenumbers' maps of places and carriers are most of it, and nobody asks them.
FROM build AS libraries
ARG LEAVE_OUT=pyarrow
RUN cd /opt/carillon/python/lib/python3*/site-packages \
 && rm -rf phonenumbers/geodata phonenumbers/carrierdata pyarrow/include pyarrow/tests \
 && /opt/carillon/python/bin/pip uninstall -qy ${LEAVE_OUT} hatchling editables setuptools pip \
 && echo /opt/carillon/packages > carillon.pth

# Our own packages, apart from the libraries: a release of one service is a small layer.
FROM build AS packages
ARG SERVICE
COPY libs/common /build/libs/common
COPY cli /build/cli
COPY services /build/services
COPY infra/docker/probe.py /build/
RUN mkdir -p /run/carillon/secrets/services /run/carillon/secrets/rabbitmq /run/carillon/secrets/grafana \
      /run/carillon/demo
RUN case "${SERVICE}" in cli) packages="/build/services/*" module=carillon_cli ;; \
      *) packages="/build/services/${SERVICE}" module="$(echo "${SERVICE}" | tr - _)" ;; esac \
 && /opt/carillon/python/bin/pip install -q --no-deps --no-build-isolation --target /opt/carillon/packages \
      /build/libs/common /build/cli ${packages} \
 && rm -rf /opt/carillon/packages/bin && mkdir /opt/carillon/bin && cd /opt/carillon/bin \
 && printf '#!/bin/sh\nexec python -m %s "$@"\n' "${module}" > serve \
 && printf '#!/bin/sh\nexec python -m carillon_cli "$@"\n' > carillon \
 && install /build/probe.py probe && chmod 0755 serve carillon \
 && PYTHONPATH=/opt/carillon/packages /opt/carillon/python/bin/python -c \
      "from carillon_cli.services import DEFAULT_PORTS; print(DEFAULT_PORTS.get('${SERVICE}', 0))" > /opt/carillon/port

FROM ${BASE_IMAGE}
# tini is process 1: Python has no SIGTERM handler in the second before its services are loaded, and the kernel drops
# signals that process 1 does not handle. A Pod has no `docker run --init`, so that it comes with the image.
COPY --from=build /usr/bin/tini-static /usr/local/bin/tini
COPY --from=libraries /opt/carillon/python /opt/carillon/python
# up to here all services have the same layers
ARG SERVICE
LABEL org.opencontainers.image.title="carillon-${SERVICE}" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=packages /opt/carillon/packages /opt/carillon/packages
COPY --from=packages /opt/carillon/bin /opt/carillon/bin
COPY --from=packages /opt/carillon/port /opt/carillon/port
ENV PATH=/opt/carillon/bin:/opt/carillon/python/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SERVICE=${SERVICE} CARILLON_HOST=0.0.0.0 CARILLON_SIMULATOR_SMPP_HOST=0.0.0.0 CARILLON_HOME=/tmp/carillon
# volumes mounted here belong to the user below
COPY --from=packages --chown=10001:10001 /run/carillon /run/carillon
# a number, so that Kubernetes sees that it is not root's; the root file system may be read-only
USER 10001:10001
WORKDIR /tmp
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["probe", "/livez"]
ENTRYPOINT ["tini", "--"]
CMD ["serve"]
