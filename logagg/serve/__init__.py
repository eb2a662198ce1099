"""In: HTTP requests to the page and to its API (`logagg serve`).
Out: answers about the newest snapshot; Starlette under uvicorn, one process and one port.
Promise: read-only; the cost of a request is bounded, and equal questions about one commit are answered once."""
