# S4 as a container: S3 on 9000, console on 9001, everything it keeps under /data.
# What S4 runs on is installed in a first stage, from wheels whose hashes the lock file knows,
# so that the image holds no compiler, no pip cache and nothing that only tests need.
FROM python:3.11-slim AS dependencies

COPY requirements-runtime.lock /tmp/requirements-runtime.lock
RUN python -m venv --without-pip /opt/s4 \
    && python -m pip --python /opt/s4/bin/python install --no-cache-dir --no-deps --only-binary :all: \
        --require-hashes -r /tmp/requirements-runtime.lock


FROM python:3.11-slim

# A fixed id, so that a volume's owner is the same on every host and after every upgrade.
RUN groupadd --gid 10001 s4 \
    && useradd --uid 10001 --gid s4 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin s4 \
    && install --directory --owner=s4 --group=s4 --mode=0700 /data

COPY --from=dependencies /opt/s4 /opt/s4
WORKDIR /srv/s4
COPY . .
RUN /opt/s4/bin/python -m compileall -q .

ENV PATH=/opt/s4/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    S4_DATA_DIR=/data \
    S4_BIND=0.0.0.0:9000 \
    S4_CONSOLE_BIND=0.0.0.0:9001

USER 10001:10001
VOLUME /data
EXPOSE 9000 9001
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['S4_CONSOLE_BIND'].rpartition(':')[2] + '/health/live', timeout=4)"]

ENTRYPOINT ["python", "manage.py"]
CMD ["serve"]
