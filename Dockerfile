# logagg from its wheel: make wheels, then docker build -t logagg .
FROM python:3.13-slim
# tini passes signals on, and waits for the processes of parsers: a container has no init.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
COPY dist/*.whl /tmp/dist/
RUN pip install --no-cache-dir /tmp/dist/logagg-*.whl && rm -r /tmp/dist \
    && useradd --system --user-group --uid 990 --create-home --home-dir /var/lib/logagg logagg
USER logagg
WORKDIR /var/lib/logagg
# The lake is a local volume: it relies on rename, fsync and file locks.
VOLUME /var/lib/logagg
ENV LOGAGG_LAKE=/var/lib/logagg/lake
EXPOSE 8080 9117
ENTRYPOINT ["tini", "--", "logagg"]
CMD ["tail", "--metrics", "0.0.0.0:9117", "/var/log/nginx"]
