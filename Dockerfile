# The service's images: `docker build .` the API and the workers on a CPU (no TensorFlow), `--target gpu` the workers on
# a GPU, `--target audits` the audit workers (TensorFlow and Tesseract, on a CPU), `--target dashboard` rq-dashboard. Of
# Python's packages, only wheels whose hashes are in the locks are installed.

FROM python:3.12.13-slim-trixie AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1
WORKDIR /app
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin captcha

FROM base AS service-packages
RUN python -m venv /opt/venv
COPY requirements-service.lock ./
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-service.lock

FROM base AS gpu-packages
RUN python -m venv /opt/venv
COPY deploy/gpu.lock ./
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r gpu.lock

FROM base AS audits-packages
RUN python -m venv /opt/venv
COPY deploy/audits.lock ./
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r audits.lock

FROM base AS dashboard-packages
RUN python -m venv /opt/venv
COPY deploy/dashboard.lock ./
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r dashboard.lock

# The code belongs to root: what serves requests cannot change it.
FROM base AS code
COPY LICENSE ./
COPY captcha_solver captcha_solver
COPY workers workers
COPY api api
COPY datasets/designs datasets/designs
COPY datasets/fonts datasets/fonts
RUN python -m compileall -q captcha_solver workers api

FROM base AS dashboard
COPY --from=dashboard-packages /opt/venv /opt/venv
ENV RQ_DASHBOARD_JSON_SERIALIZER=true \
    RQ_DASHBOARD_DISABLE_DELETE=true
USER 10001:10001
EXPOSE 9181
CMD ["gunicorn", "--bind", "0.0.0.0:9181", "--worker-tmp-dir", "/dev/shm", "rq_dashboard.app:create_app()"]

FROM code AS gpu
COPY --from=gpu-packages /opt/venv /opt/venv
ENV CAPTCHA_RUNTIME=keras \
    KERAS_BACKEND=tensorflow \
    KERAS_HOME=/tmp/keras \
    TF_FORCE_GPU_ALLOW_GROWTH=true
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["python", "-m", "workers.alive"]
CMD ["python", "-m", "workers"]

FROM code AS audits
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr \
    && rm -rf /var/lib/apt/lists/*
COPY --from=audits-packages /opt/venv /opt/venv
ENV KERAS_BACKEND=tensorflow \
    KERAS_HOME=/tmp/keras
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-m", "workers.alive"]
CMD ["python", "-m", "workers", "--audits"]

FROM code AS service
COPY --from=service-packages /opt/venv /opt/venv
ENV HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-m", "api.alive"]
CMD ["python", "-m", "api"]
