"""The logs that real servers write are found by their configurations, and each request counts once, for its site."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.apache import Apache
from tests.conftest import POWERLESS, Command, combined, wait_until
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


def test_a_log_that_may_not_be_read_fails_the_check(logagg: Command, tmp_path: Path) -> None:
    conf, log, other = tmp_path / "nginx.conf", tmp_path / "shop.log", tmp_path / "blog.log"
    conf.write_text(
        f"http {{ server {{ server_name shop.example; access_log {log}; }} server {{ access_log {other} combined; }} }}"
    )
    log.touch()
    log.chmod(0)
    other.touch()
    argv = [*(POWERLESS if os.geteuid() == 0 else []), *logagg.argv("check", "--from", conf)]
    done = subprocess.run(argv, cwd=tmp_path, env=logagg.env, capture_output=True, text=True)
    assert done.returncode == 1
    rows = {row[0]: row[1:4] for row in map(str.split, done.stdout.splitlines()) if row[-1].startswith(f"{conf}:")}
    assert rows[str(log)] == ["combined", "shop.example", "no"] and rows[str(other)] == ["combined", "unknown", "yes"]
    (wrong,) = [line for line in done.stdout.splitlines() if line.startswith("wrong: ")]
    assert wrong.startswith(f"wrong: {log}: permission denied; run as a user who may read it (often in group adm)")


def test_a_broken_configuration_is_said_in_one_line(logagg: Command, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("http { access_log a.log")
    done = logagg.run("init", "--from", "conf", status=1)
    assert done.stderr == f'logagg: {tmp_path}/conf:1: "access_log" is not ended by ";" or "{{"; `nginx -t` checks it\n'
    assert not (tmp_path / "logagg.toml").exists()


def test_a_reload_follows_the_logs_of_new_sites(logagg: Command, tmp_path: Path) -> None:
    conf, line = tmp_path / "nginx.conf", combined([("/", 200)])
    one, two = ("http {", "server { server_name %s; access_log %s/%s.log; }"), "two.example"
    of_one = one[1] % ("one.example", tmp_path, "one")
    conf.write_text(f"{one[0]} {of_one} }}")
    (tmp_path / "one.log").write_text(line)
    tail = logagg.start("tail", "--flush", "0.1", "--nginx", conf)
    logagg.await_lines(1, tail)
    (tmp_path / "two.log").write_text(line)
    conf.write_text(f"{one[0]} {of_one} {one[1] % (two, tmp_path, 'two')} }}")
    tail.send_signal(signal.SIGHUP)
    logagg.await_lines(2, tail)
    assert logagg.read(HITS) == [("one.example", 1), ("two.example", 1)]
    conf.write_text("http {")
    tail.send_signal(signal.SIGHUP)
    wait_until(lambda: "nginx.conf:1: " in (tmp_path / "tail.log").read_text(), tail)
    tail.terminate()
    assert tail.wait(20) == 0


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
    assert "|/bin/dd of=/dev/null: its requests are in" in done.stderr
