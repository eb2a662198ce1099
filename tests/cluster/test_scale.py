"""Many tailers at once, simulated as by `make bench-scale`: every line counts once, even if workers die."""

from __future__ import annotations

import threading
import time

import pytest

from bench.scale import VARIANTS, Scene, Tailer, made
from logagg.cluster.gearman import Server
from tests.conftest import wait_until
from tests.gearmand import Site
from tests.laws import sums
from tests.laws.logs import AGENTS, CLIENTS, Request

SCENE = Scene(tailers=20, shards=8, workers=2, jobs=160, lines=15, seconds=6, flush=0.2)


def lines() -> list[bytes]:
    """Return lines of one minute, of three kinds: a page, a click or garbage."""
    agents, made = list(AGENTS), []
    for n in range(VARIANTS * SCENE.lines):
        target, status = (("/tea", 200), ("/click?ad=1&campaign=spring", 302), ("/gone", 404))[n % 3]
        request = Request(n // 4, CLIENTS[n % 4], agents[n % 3], target, status=status)
        made.append(request.line("plain") if n % 7 else "garbage")
    return [f"{line}\n".encode() for line in made]


@pytest.mark.slow
@pytest.mark.thorough
def test_twenty_tailers_eight_shards(site: Site) -> None:
    (site.logagg.folder / "logagg.toml").write_text('[retention]\nminute = "forever"\n')
    workers = [site.worker("0-3/8"), site.worker("4-7/8")]
    site.await_lake()
    secret, servers = (site.lake / "secret").read_bytes(), Server.listed(site.gearman)
    chunks = made(lines(), SCENE, secret)
    tailers = [Tailer(number, servers, secret, SCENE, chunks) for number in range(SCENE.tailers)]
    for tailer in tailers:
        tailer.greet()
    threads = [threading.Thread(target=tailer.run, args=(time.monotonic() + SCENE.seconds,)) for tailer in tailers]
    for thread in threads:
        thread.start()
    wait_until(lambda: sum(tailer.chunks for tailer in tailers) > SCENE.tailers)
    workers[0].kill()
    workers[0].wait()
    workers[0] = site.worker("0-3/8")
    for thread in threads:
        thread.join()
    assert [tailer.failure for tailer in tailers if tailer.failure] == [], site.notices()
    for worker in workers:
        site.stop(worker)
    sent = [
        line
        for number, tailer in enumerate(tailers)
        for chunk in range(tailer.chunks)
        for line in chunk_of(number + chunk)
    ]
    sums.assert_agrees(site.lake, sent, placed=False)  # all chunks are made of a few
    assert "all is well" in site.logagg.run("check").stdout


def chunk_of(number: int) -> list[str]:
    first = number % VARIANTS * SCENE.lines
    return [line.decode().rstrip("\n") for line in lines()[first : first + SCENE.lines]]
