"""The application: the page's files, the API, live events, metrics."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from logagg.alert.overview import firing
from logagg.clock import Clock
from logagg.errors import LakeError, LimitReached, LogaggError, NotFound
from logagg.explore import page
from logagg.explore.snapshots import Left, Snapshots
from logagg.metrics import ANSWERS, COMMIT, COMPUTED, LAST_COMMIT, PAGES, REUSED, STATE, Sample
from logagg.quantities import counted
from logagg.query.render import as_json
from logagg.scrape import exposition, of_process
from logagg.serve import openapi
from logagg.serve.answers import Answers, Remembered
from logagg.serve.api import ENDPOINTS, Asked, Endpoint, ServedLake, lake_of
from logagg.serve.formats import MEDIA_TYPES, chosen, encoded
from logagg.serve.guard import Access, Guard, refused
from logagg.serve.live import Announcer
from logagg.serve.parameters import MOST_TEXT, refuse_unknown

WORKERS = 4  # threads that compute answers
WAITING = 64  # requests that may wait for a thread; more are answered with 503 and Retry-After
OF_A_CLIENT = 16  # requests of one client at a time: enough for a few open pages
LEFT = 499  # nginx's status for a client that left before its answer; a page leaves when its user asks a new question
STATUSES = (200, 304, 400, 404, LEFT, 503)  # the statuses that metrics count
STATES = ("good", "warn", "bad")
RETRY = {"Retry-After": "1"}
STATIC = {
    "": ("index.html", "text/html; charset=utf-8"),
    "app.js": ("app.js", "text/javascript; charset=utf-8"),
    "app.css": ("app.css", "text/css; charset=utf-8"),
    "THIRD-PARTY.txt": ("THIRD-PARTY.txt", "text/plain; charset=utf-8"),
}


class Server:
    """Answers requests about one lake."""

    def __init__(self, served: ServedLake, clock: Clock) -> None:
        self._served, self._clock = served, clock
        self._snapshots, self._answers = Snapshots(served.root, served.limits), Answers()
        self._pool = ThreadPoolExecutor(WORKERS, "query")
        self._running: Counter[str] = Counter()  # by client
        self._asked: Counter[int] = Counter()  # by status
        self._light = Remembered(1.0)
        self._announcer = Announcer(self._commit, self._status_told)
        self._static = {path: _static(name, media) for path, (name, media) in STATIC.items()}

    def warm_up(self) -> None:
        """Compute the first answers of a page in advance: the user needs longer than these tenths of a second to open a browser."""
        with suppress(LogaggError):
            snapshot = self._snapshots.newest()
            with snapshot.queries() as ask:
                lake_of(Asked(self._served, QueryParams(), {}, snapshot, ask, self._clock.now()))

    def app(self, access: Access) -> Starlette:
        """Return the application."""
        routes = [Route(f"/{path}", self._file(path)) for path in STATIC]
        routes += [Route(f"/api/{one.path}", self._endpoint(one)) for one in ENDPOINTS]
        routes += [
            Route("/api/status", _without_parameters(self._status)),
            Route("/api/events", _without_parameters(self._events)),
            Route("/api/openapi.json", _without_parameters(self._openapi)),
            Route("/metrics", self._metrics),
        ]
        middleware = [Middleware(Guard, access=access), Middleware(GZipMiddleware, minimum_size=1_000)]
        handlers: Any = {HTTPException: _no_such, Exception: _failed}
        return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)

    # The API

    def _endpoint(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            client = (request.client.host if request.client else "") or "local"
            if self._running[client] >= OF_A_CLIENT or self._running.total() >= WAITING + WORKERS:
                return self._count(refused(503, "too many requests at a time", "ask again in a moment", RETRY))
            self._running[client] += 1
            left = Left()
            watching = asyncio.create_task(_watch(request, left))
            try:
                loop = asyncio.get_running_loop()
                return self._count(await loop.run_in_executor(self._pool, self._answer, endpoint, request, left))
            finally:
                watching.cancel()
                self._running[client] -= 1

        return answer

    def _answer(self, endpoint: Endpoint, request: Request, left: Left) -> Response:
        """Return the answer to a request; runs in a thread of the pool."""
        try:
            if left.done():
                return Response(status_code=LEFT)
            if len(request.url.query) > MOST_TEXT:
                raise LogaggError("the address is too long", f"{counted(MOST_TEXT, 'character')} at most")
            refuse_unknown(request.query_params, endpoint.names, endpoint.prefixes)
            form = chosen(request.query_params.get("format"), request.headers.get("accept", ""))
            return self._answer_as(form, endpoint, request, left)
        except LogaggError as error:
            return Response(status_code=LEFT) if left.done() else _told(error)

    def _answer_as(self, form: str, endpoint: Endpoint, request: Request, left: Left) -> Response:
        snapshot, minute = self._snapshots.newest(), int(self._clock.now() // 60)
        query = sorted(pair for pair in request.query_params.multi_items() if pair[0] != "format")
        key = (snapshot.name, minute, request.url.path, urlencode(query), form)
        etag = _etag(repr(key).encode())
        headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept"} if endpoint.follows_commits else {}
        if endpoint.follows_commits and etag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)

        def compute(left: Left) -> bytes:
            with snapshot.queries(left) as ask:
                asked = Asked(self._served, request.query_params, request.path_params, snapshot, ask, self._clock.now())
                answer, table = endpoint.answer(asked)
                return encoded(answer, table, form)

        body = self._answers.get(key, compute, left) if endpoint.follows_commits else compute(left)
        if form in ("parquet", "csv"):
            name = request.url.path.rstrip("/").rpartition("/")[2]
            headers["Content-Disposition"] = f'attachment; filename="{"".join(filter(str.isalnum, name))}.{form}"'
        return Response(body, media_type=MEDIA_TYPES[form], headers=headers)

    # The tail

    async def _status(self, request: Request) -> Response:
        try:
            return self._count(_json(await asyncio.to_thread(self._light.get, "status", self._look)))
        except LogaggError as error:
            return self._count(_told(error))

    def _look(self) -> dict[str, Any]:
        """Return the state of the lake and its tail. Raises LakeError."""
        snapshot = self._snapshots.newest()
        with snapshot.queries() as ask:
            newest = page.span(snapshot.facts, ask)[1]
        now = self._clock.now()
        found = page.status_answer(snapshot.status(self._served.root, now), snapshot.facts.commit, newest)
        alerts = [one.text for one in firing(self._served.root, now)]
        state = "warn" if alerts and found["state"] == "good" else found["state"]
        return found | {"state": state, "reasons": [*found["reasons"], *alerts]}

    async def _events(self, request: Request) -> Response:
        if self._announcer.is_full:
            return self._count(refused(503, "too many open pages", "close one, or ask again later", RETRY))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # else nginx delays events
        return self._count(StreamingResponse(self._announcer.events(), media_type="text/event-stream", headers=headers))

    def _commit(self) -> dict[str, Any]:
        try:
            facts = self._snapshots.newest().facts
        except LakeError as error:
            return {"commit": 0, "state": "bad", "reasons": [str(error)]}
        return {"commit": facts.commit, "committed_at": facts.committed_at and facts.committed_at.isoformat()}

    def _status_told(self) -> dict[str, Any]:
        """Return the state of the light for open pages, without ages, which would change with every look."""
        try:
            found = self._light.get("status", self._look)
        except LakeError as error:
            return {"commit": 0, "state": "bad", "reasons": [str(error)]}
        return {"commit": found["commit"], "state": found["state"], "reasons": found["reasons"]}

    # Other addresses

    def _file(self, path: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            body, media, etag = self._static[path]
            headers = {"ETag": etag, "Cache-Control": "no-cache"}
            if etag in request.headers.get("if-none-match", ""):
                return self._count(Response(None, 304, headers))
            return self._count(Response(body, media_type=media, headers=headers))

        return answer

    async def _openapi(self, request: Request) -> Response:
        return self._count(_json(openapi.document()))

    async def _metrics(self, request: Request) -> Response:
        body = await asyncio.to_thread(exposition, self._numbers)
        return self._count(Response(body, media_type="text/plain; version=0.0.4"))

    def _numbers(self) -> Iterator[Sample]:
        yield from ANSWERS.each({str(code): count for code, count in list(self._asked.items())}, map(str, STATUSES))
        yield COMPUTED.of(self._answers.computed)
        yield REUSED.of(self._answers.reused)
        yield PAGES.of(self._announcer.pages)
        yield from STATE.each({self._status_told()["state"]: 1}, STATES)
        yield from self._newest_commit()
        yield from of_process()

    def _newest_commit(self) -> Iterator[Sample]:
        try:
            facts = self._snapshots.newest().facts
        except LakeError:
            return
        yield COMMIT.of(facts.commit)
        yield LAST_COMMIT.of(facts.committed_at.timestamp() if facts.committed_at else 0)

    def _count(self, answer: Response) -> Response:
        self._asked[answer.status_code] += 1
        return answer


async def _watch(request: Request, left: Left) -> None:
    """Complete `left` when the client disconnects."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    left.set_result(None)


def _without_parameters(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        try:
            refuse_unknown(request.query_params, frozenset())
        except LogaggError as error:
            return _told(error)
        return await answer(request)

    return checked


def _static(name: str, media: str) -> tuple[bytes, str, str]:
    body = files("logagg.serve").joinpath("static", name).read_bytes()
    return body, media, _etag(body)


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _json(found: object) -> Response:
    return Response(as_json(found).encode(), media_type="application/json")


def _told(error: LogaggError) -> Response:
    """Return an error as an answer in JSON."""
    code = 503 if isinstance(error, (LimitReached, LakeError)) else 404 if isinstance(error, NotFound) else 400
    return refused(code, error.message, error.hint, RETRY if code == 503 else None)


async def _no_such(request: Request, error: HTTPException) -> Response:
    return refused(error.status_code, "no such address", "api/openapi.json lists what there is")


async def _failed(request: Request, error: Exception) -> Response:
    return refused(500, f"internal error: {type(error).__name__}", "please report it")
