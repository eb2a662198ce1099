"""The logs that real servers write are found by their configurations, and each request counts once, for its site."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.apache import Apache
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


APACHE_SHOP = """
Define shop shop.example
<VirtualHost *:*>
    ServerName ${shop}:80
    ServerAlias www.${shop}
    SetEnvIf Request_URI "^/odd" odd
    <IfModule mod_log_config.c>
        LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\" %D" timed
        CustomLog ${APACHE_LOG_DIR}/shop.log \\
            timed
        CustomLog ${APACHE_LOG_DIR}/odd.log combined env=odd
    </IfModule>
    <IfModule !mod_log_config.c>
        CustomLog ${APACHE_LOG_DIR}/never.log combined
    </IfModule>
</VirtualHost>
"""
APACHE_MORE = """
<Macro Site $name>
    <VirtualHost *:*>
        ServerName $name.example
        LogFormat "%h %l %u %t \\"%r\\" %>s %b"
        TransferLog ${APACHE_LOG_DIR}/$name.log
    </VirtualHost>
</Macro>
Use Site blog
Use Site "news"
<VirtualHost *:*>
    ServerName piped.example
    CustomLog "|$PROGRAM -l ${APACHE_LOG_DIR}/piped.%Y-%m-%d.log 86400" combined
    CustomLog "|/bin/dd of=/dev/null" combined
</VirtualHost>
<VirtualHost *:*>
    ServerName inherits.example
</VirtualHost>
<IfDefine NEVER>
    Include nowhere.conf
</IfDefine>
CustomLog ${APACHE_LOG_DIR}/other_vhosts_access.log vhost_combined
"""
ROTATELOGS = """#!/bin/sh
exec cat >> "$(dirname "$2")/piped.2026-11-30.log"
"""


def test_each_request_of_an_apache_counts_once_for_its_site(logagg: Command, apache: Apache) -> None:
    program = apache.folder / "rotatelogs"
    program.write_text(ROTATELOGS)
    program.chmod(0o755)
    apache.start(more=APACHE_MORE.replace("$PROGRAM", str(program)), shop=APACHE_SHOP)
    asked = {"shop.example": 3, "www.shop.example": 2, "blog.example": 4, "news.example": 1, "piped.example": 2}
    for host, times in {**asked, "inherits.example": 2}.items():
        for _ in range(times):
            apache.get("/odd?1", Host=host)
    config = json.loads(logagg.run("check", "--json", "--from", apache.folder, status=None).stdout)
    assert {one for log in config["logs"] for one in log["sites"]} == apache.hosts()
    apache.stop()
    done = logagg.run("tail", "--once", "--apache", apache.folder)
    assert dict(logagg.read(HITS)) == {
        "shop.example": 5,
        "blog.example": 4,
        "news.example": 1,
        "piped.example": 2,
        "inherits.example": 2,
    }, done.stderr
    assert "|/bin/dd of=/dev/null: a program writes it" in done.stderr
