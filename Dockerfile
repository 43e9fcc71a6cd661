# One image per service: docker build --target api|transcoder|transcriber|transcriber-gpu|watchdog|migrate .
#
# Every stage starts from the same Python, so that an environment made in one stage works in another. Any Debian with
# Python 3.11 as python3, venv and util-linux will do as BASE.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

# ---- What builds, and stays behind -----------------------------------------------------------------------------------

FROM ${BASE} AS tools
# For a package index or an authority of one's own; nothing of it reaches an image that runs.
ARG PIP_CERT
ARG PIP_INDEX_URL
ARG SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG UV_DEFAULT_INDEX
# As variables, because the stages below inherit those. An empty index is no index.
ENV SSL_CERT_FILE=${SSL_CERT_FILE} \
    UV_COMPILE_BYTECODE=1 \
    UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX} \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    VIRTUAL_ENV=/opt/mill
WORKDIR /build
COPY requirements/image.txt requirements/
RUN python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/image.txt \
    && ln -s /opt/uv/bin/uv /usr/local/bin/uv \
    && uv venv --quiet --python python3 /opt/mill
# Its overrides count when requirements are installed.
COPY pyproject.toml ./

FROM tools AS members
COPY libs libs
COPY services services
# uv brings the members' build backend with it, so nothing that is not pinned is downloaded.
RUN UV_OFFLINE=1 uv build --quiet --all-packages --wheel --out-dir /wheels

FROM tools AS api-environment
COPY requirements/api.txt requirements/
RUN uv pip install --quiet --require-hashes -r requirements/api.txt
COPY --from=members /wheels /wheels
RUN uv pip install --quiet --no-deps --no-index --find-links /wheels mill-common mill-api

FROM tools AS transcoder-environment
COPY requirements/transcoder.txt requirements/
RUN uv pip install --quiet --require-hashes -r requirements/transcoder.txt
COPY --from=members /wheels /wheels
RUN uv pip install --quiet --no-deps --no-index --find-links /wheels mill-common mill-transcoder

FROM tools AS transcriber-environment
COPY requirements/transcriber.txt requirements/
RUN uv pip install --quiet --require-hashes -r requirements/transcriber.txt
COPY --from=members /wheels /wheels
RUN uv pip install --quiet --no-deps --no-index --find-links /wheels mill-common mill-transcriber

FROM transcriber-environment AS transcriber-gpu-environment
COPY requirements/transcriber-gpu.txt requirements/
RUN uv pip install --quiet --no-deps --require-hashes -r requirements/transcriber-gpu.txt

FROM tools AS watchdog-environment
COPY requirements/watchdog.txt requirements/
RUN uv pip install --quiet --require-hashes -r requirements/watchdog.txt
COPY --from=members /wheels /wheels
RUN uv pip install --quiet --no-deps --no-index --find-links /wheels mill-common mill-watchdog

# ---- What runs -------------------------------------------------------------------------------------------------------

FROM ${BASE} AS service
# prlimit and setpriv bound a worker's children and end them with it.
RUN command -v prlimit && command -v setpriv \
    && groupadd --gid 10001 mill \
    && useradd --uid 10001 --gid mill --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mill \
    && install --directory --owner mill --group mill --mode 0700 /data /models /scratch
ENV HF_HOME=/models \
    MILL_DATA_DIR=/data \
    MILL_SCRATCH_DIR=/scratch \
    PATH=/opt/mill/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 10001:10001

FROM service AS api
COPY --from=api-environment /opt/mill /opt/mill
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["python", "-m", "mill_common.health", "--http", "8000"]
ENTRYPOINT ["python", "-m", "mill_api", "--host", "0.0.0.0", "--port", "8000"]

FROM service AS transcoder
COPY --from=transcoder-environment /opt/mill /opt/mill
HEALTHCHECK --interval=30s --timeout=20s --start-period=30s CMD ["python", "-m", "mill_common.health"]
ENTRYPOINT ["python", "-m", "mill_transcoder"]

FROM service AS transcriber
COPY --from=transcriber-environment /opt/mill /opt/mill
HEALTHCHECK --interval=30s --timeout=20s --start-period=30s CMD ["python", "-m", "mill_common.health"]
ENTRYPOINT ["python", "-m", "mill_transcriber"]

FROM service AS transcriber-gpu
COPY --from=transcriber-gpu-environment /opt/mill /opt/mill
# CTranslate2 loads cuBLAS by name; the driver comes from the host.
ENV LD_LIBRARY_PATH=/opt/mill/lib/python3.11/site-packages/nvidia/cublas/lib \
    MILL_WHISPER_DEVICE=cuda \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NVIDIA_VISIBLE_DEVICES=all
HEALTHCHECK --interval=30s --timeout=20s --start-period=30s CMD ["python", "-m", "mill_common.health"]
ENTRYPOINT ["python", "-m", "mill_transcriber"]

FROM service AS watchdog
COPY --from=watchdog-environment /opt/mill /opt/mill
HEALTHCHECK --interval=30s --timeout=20s --start-period=30s CMD ["python", "-m", "mill_common.health"]
ENTRYPOINT ["python", "-m", "mill_watchdog"]

# Runs once and ends.
FROM watchdog AS migrate
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "mill_common.migrations"]
