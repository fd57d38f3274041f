# A model that is served, as somebody who is not root:
#
#   docker build -t manyheads .
#   docker run -p 8000:8000 -v ./reviews-model:/model:ro manyheads
#   docker run -p 8000:8000 -v ./models:/models:ro manyheads moods=/models/moods vectors=/models/vectors
#
# Which torch is installed constraints.txt says. On many machines that is one with CUDA, of several
# gigabytes; PIP_EXTRA_INDEX_URL, or PIP_INDEX_URL, may name an index of builds for CPUs alone:
#
#   docker build -t manyheads --build-arg PIP_EXTRA_INDEX_URL=https://… .
FROM python:3.13-slim AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/manyheads
COPY constraints.txt ./
# By itself, so that what is largest and changes least is not installed again with every build.
RUN /opt/manyheads/bin/pip install -c constraints.txt torch
COPY pyproject.toml README.md ./
COPY src src
RUN /opt/manyheads/bin/pip install -c constraints.txt ".[serve,chat,gguf,zh,telemetry]"

FROM python:3.13-slim
COPY --from=build /opt/manyheads /opt/manyheads
RUN useradd --uid 10001 --create-home manyheads
USER 10001
ENV PATH=/opt/manyheads/bin:$PATH
VOLUME /model
EXPOSE 8000
# Ready means that every model takes questions and makes progress with those that it has.
HEALTHCHECK --start-period=60s --interval=10s --timeout=5s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["manyheads", "serve", "--host", "0.0.0.0"]
CMD ["/model"]
