# The receiver as an image: whoever runs it is nobody, and writes into /var/lib/receiver alone.

# --- what is installed, from pins with hashes

FROM debian:bookworm-slim AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python3 -m venv /opt/receiver \
    && /opt/receiver/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt \
    && python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY . .
# docker build --build-arg RECEIVER_COMMIT="$(git describe --always --dirty --abbrev=12)" .
ARG RECEIVER_COMMIT=""
RUN RECEIVER_COMMIT="$RECEIVER_COMMIT" /opt/build/bin/python -m hatchling build -t wheel -d /wheel \
    && /opt/receiver/bin/pip install --no-cache-dir --no-deps /wheel/*.whl \
    && /opt/receiver/bin/pip uninstall --yes pip setuptools

# --- what runs

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/receiver --shell /usr/sbin/nologin receiver \
    && install --directory --mode 0700 --owner receiver --group receiver /var/lib/receiver
COPY --from=build /opt/receiver /opt/receiver
ENV PATH=/opt/receiver/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    RECEIVER_DATA_DIR=/var/lib/receiver \
    RECEIVER_ADMIN_BIND=0.0.0.0:8001 \
    RECEIVER_LOG_FORMAT=json
# A number, so that an orchestrator sees that it is not root.
USER 10001:10001
WORKDIR /var/lib/receiver
VOLUME /var/lib/receiver
EXPOSE 8000 8001
# The process answers; whether a reply could be stored is /readyz, for whoever sends traffic here.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["receiver"]
CMD ["serve"]
