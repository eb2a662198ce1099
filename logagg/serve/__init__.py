"""`logagg serve`: the page and its read-only HTTP API; Starlette under uvicorn, one process and one port."""
