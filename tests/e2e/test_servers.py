"""The logs that real servers write are found by their configurations, and each request counts once, for its site."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import POWERLESS, Command, wait_until
from tests.nginx import Nginx

HITS = "SELECT site, sum(hits)::BIGINT FROM traffic GROUP BY site ORDER BY site"
SITES = """
    log_format vhost '$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                     '"$http_referer" "$http_user_agent" $request_time';
    log_format json escape=json '{"time":"$time_iso8601","client":"$remote_addr","request":"$request","status":$status,'
                                '"agent":"$http_user_agent","seconds":$request_time}';
    log_format short '$remote_addr $status';
    map $status $odd { ~^[23] 0; default 1; }  # { not a block
    root LOGS;  # without which nginx writes no log with a variable in its path
    include sites/*.conf;
"""
SHOP = """
server { listen PORT; server_name shop.example www.shop.example;
    access_log LOGS/shop.log combined;
    access_log LOGS/odd.log vhost if=$odd;
    location / { return 200 "hello"; }
    location /health { access_log off; return 200 "well"; }
    location /api { access_log LOGS/$server_name.api.log json; return 200 "{}"; }
    location /missing { return 404; }
}
"""
BLOG = """
server { listen PORT; server_name blog.example; access_log logs/blog.log json buffer=64k flush=1s; return 200 "blog"; }
server { listen PORT; server_name ~^(.+)\\.many\\.example$; access_log LOGS/of-$host.log; return 200 "many"; }
server { listen PORT; server_name quiet.example; access_log off; return 200 "quiet"; }
server { listen PORT; server_name inherits.example; return 200 "inherits"; }
"""
REQUESTS = {
    ("shop.example", "/"): 5,
    ("www.shop.example", "/missing"): 2,
    ("shop.example", "/health"): 3,
    ("shop.example", "/api/1"): 4,
    ("blog.example", "/"): 6,
    ("one.many.example", "/"): 1,
    ("two.many.example", "/"): 2,
    ("quiet.example", "/"): 7,
    ("inherits.example", "/"): 3,
}
COUNTED = [
    ("blog.example", 6),
    ("inherits.example", 3),
    ("one.many.example", 1),
    ("shop.example", 11),
    ("two.many.example", 2),
]


def prepare(nginx: Nginx) -> None:
    """Start nginx with two files of sites, which get its port before it reads them."""
    sites = nginx.folder / "sites"
    sites.mkdir()

    def write(port: int) -> None:
        for name, text in {"shop": SHOP, "blog": BLOG}.items():
            listening = text.replace("PORT", f"127.0.0.1:{port}")
            (sites / f"{name}.conf").write_text(listening.replace("LOGS", str(nginx.logs)))

    nginx.start(access_log=f"{nginx.logs}/access.log vhost", http=SITES.replace("LOGS", str(nginx.logs)), also=write)


def request_all(nginx: Nginx) -> None:
    for (host, target), times in REQUESTS.items():
        for _ in range(times):
            nginx.get(target, Host=host)


def test_each_request_of_an_nginx_counts_once_for_its_site(logagg: Command, nginx: Nginx) -> None:
    prepare(nginx)
    request_all(nginx)
    nginx.stop()
    done = logagg.run("tail", "--once", "--nginx", nginx.folder / "nginx.conf")
    assert logagg.read(HITS) == COUNTED, done.stderr
    assert "odd.log: its requests are in" in done.stderr
    formats = dict(logagg.read("SELECT DISTINCT path, format FROM sources"))
    assert formats[f"{nginx.logs}/shop.log"] == "combined"
    assert formats[f"{nginx.logs}/blog.log"].startswith("log_format json escape=json")


def test_what_init_writes_is_followed_and_checked(logagg: Command, nginx: Nginx) -> None:
    prepare(nginx)
    request_all(nginx)
    dump = subprocess.run(
        ["nginx", "-T", "-p", str(nginx.folder), "-c", f"{nginx.folder}/nginx.conf"], capture_output=True, text=True
    )
    nginx.stop()
    logagg.run("init", "--from", "-", input=dump.stdout)
    of_dump = (logagg.folder / "logagg.toml").read_text()
    logagg.run("init", "--force", "--from", nginx.folder)
    of_file = (logagg.folder / "logagg.toml").read_text()
    assert [line for line in of_dump.splitlines() if "[[log]]" in line or " = " in line] == [
        line for line in of_file.splitlines() if "[[log]]" in line or " = " in line
    ]
    assert "all is well" in logagg.run("check").stdout
    logagg.run("tail", "--once")
    assert logagg.read(HITS) == COUNTED
