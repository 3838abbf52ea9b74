# S4 as a container: S3 on 9000, console on 9001, everything it keeps under /data.
# The first stage builds S4's wheel and installs it, over wheels whose hashes the lock files know;
# the image gets the result alone: no compiler, no pip, no source, nothing that only tests need.
# The version of Python is the one that the tests run on.
FROM python:3.11-slim AS build

# For S4's one compiled part. Any compiler will do, so none is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev

WORKDIR /src
COPY requirements-runtime.lock deploy/build.lock ./
RUN python -m venv --without-pip /opt/s4 \
    && python -m pip --python /opt/s4/bin/python install --no-cache-dir --no-deps \
        --only-binary :all: --require-hashes -r requirements-runtime.lock \
    && python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-cache-dir --no-deps --require-hashes -r build.lock

COPY . .
RUN /opt/build/bin/python -m pip wheel --no-cache-dir --no-deps --no-index --no-build-isolation \
        --wheel-dir /opt/build/wheels . \
    && python -m pip --python /opt/s4/bin/python install --no-cache-dir --no-deps --no-index \
        /opt/build/wheels/*.whl


FROM python:3.11-slim

# A fixed id, so that a volume's owner is the same on every host and after every upgrade.
RUN groupadd --gid 10001 s4 \
    && useradd --uid 10001 --gid s4 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin s4 \
    && install --directory --owner=s4 --group=s4 --mode=0700 /data

COPY --from=build /opt/s4 /opt/s4

ENV PATH=/opt/s4/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    S4_DATA_DIR=/data \
    S4_BIND=0.0.0.0:9000 \
    S4_CONSOLE_BIND=0.0.0.0:9001

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 9000 9001
# S4 is made to be process 1: it heeds this signal from its first moment, and buries orphans.
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["s4", "healthcheck"]

ENTRYPOINT ["s4"]
CMD ["serve"]
