"""The logs of nginx: inheritance, `off`, several logs, variables, prefixes, formats, includes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from logagg.errors import ConfigError
from logagg.servers.find import Configuration
from tests.units.servers.conftest import Tree

FORMATS = """
log_format host '$host $remote_addr - - [$time_local] "$request" $status';
log_format plain '$remote_addr - - [$time_local] "$request" $status';
"""


def http(text: str) -> str:
    return f"events {{}}\nhttp {{ {FORMATS} {text} }}"


def refusal(tree: Tree) -> str:
    with pytest.raises(ConfigError) as caught:
        tree.logs()
    return str(caught.value).removeprefix(f"{tree.folder}/")


def test_a_level_has_its_own_logs_or_inherits(tree: Tree) -> None:
    tree.write(
        nginx_dot_conf=http("""
            access_log LOGS/http.log;
            server { server_name a.example; }
            server {
                server_name b.example; access_log LOGS/b.log plain;
                location / { access_log LOGS/b-root.log; location /in { if ($x) { access_log LOGS/b-if.log; } } }
                location /api { }
            }
            server { server_name c.example; access_log off; location /odd { access_log LOGS/c.log host; } }
            server { server_name d.example; access_log LOGS/never.log; access_log off; }""")
    )
    sites = {path: (log.format_name, log.site, log.sites) for path, log in tree.logs().items()}
    assert sites == {
        "http.log": ("combined", "a.example", ("a.example",)),
        "b.log": ("plain", "b.example", ("b.example",)),
        "b-root.log": ("combined", "b.example", ("b.example",)),
        "b-if.log": ("combined", "b.example", ("b.example",)),
        "c.log": ("host", "", ("c.example",)),
    }


@pytest.mark.parametrize(
    ("names", "site"),
    [
        ("server_name a.example b.example;", "a.example"),
        ("server_name *.a.example ~^w\\d+ A.Example.;", "a.example"),
        ("server_name .a.example;", "a.example"),
        ("server_name _;", ""),
        ('server_name "";', ""),
        ("server_name ~^(?<x>.+)$;", ""),
        ("", ""),
        ("server_name localhost;", "localhost"),
    ],
)
def test_the_site_is_the_first_name_of_one_host(tree: Tree, names: str, site: str) -> None:
    tree.write(nginx_dot_conf=http(f"server {{ {names} access_log LOGS/a.log; }}"))
    assert tree.logs()["a.log"].site == site


@pytest.mark.parametrize(
    ("other", "site", "notes"),
    [
        ("server_name a.example;", "a.example", 0),  # the same site with TLS
        ("server_name www.a.example;", "a.example", 0),
        ("server_name b.example;", "", 1),
        ("server_name _;", "", 1),
    ],
)
def test_a_log_of_several_sites_has_no_site(tree: Tree, other: str, site: str, notes: int) -> None:
    tree.write(nginx_dot_conf=http(f"access_log LOGS/a.log; server {{ server_name a.example; }} server {{ {other} }}"))
    log = tree.logs()["a.log"]
    assert (log.site, len(log.notes)) == (site, notes)


def test_each_request_is_followed_once(tree: Tree) -> None:
    tree.write(
        nginx_dot_conf=http("""
            server { server_name a.example; access_log LOGS/a.log; access_log LOGS/all.log host; }
            server { server_name b.example; access_log LOGS/all.log host; access_log LOGS/odd.log host if=$odd; }
            server { server_name c.example; access_log LOGS/x.log; access_log LOGS/y.log host; }
            server { server_name d.example; access_log LOGS/x.log; }
            server { server_name e.example; access_log LOGS/y.log host; }
            server { server_name f.example; access_log LOGS/if.log host if=$odd; access_log LOGS/not.log host if=$even; }
        """)
    )
    logs = tree.logs()
    assert {path: log.followed for path, log in logs.items()} == {
        "a.log": False,
        "all.log": True,
        "odd.log": False,
        "x.log": True,  # one of both has requests that the other has not
        "y.log": True,
        "if.log": True,
        "not.log": True,
    }
    assert logs["a.log"].left_out == f"its requests are in {tree.folder}/all.log"
    assert logs["x.log"].notes[-1] == f"some of its requests are also in {tree.folder}/y.log, and count twice"
    assert logs["if.log"].notes == ("it gets only some of the requests",)


def test_a_log_that_is_no_file_is_replaced_by_one_that_is(tree: Tree) -> None:
    tree.write(
        nginx_dot_conf=http("""
            server { access_log syslog:server=10.0.0.1,tag=x host; access_log LOGS/a.log; access_log /dev/null; }
            server { access_log LOGS/short.log short; } log_format short '$remote_addr $status';""")
    )
    logs = tree.logs()
    assert {path: log.followed for path, log in logs.items()} == {
        "syslog:server=10.0.0.1,tag=x": False,
        "a.log": True,
        "short.log": False,
    }
    sent = logs["syslog:server=10.0.0.1,tag=x"]
    assert "sent to syslog" in sent.problem and sent.left_out == f"its requests are in {tree.folder}/a.log"
    assert logs["short.log"].problem == "log format 'short': there is no time in it; add it to the format"


@pytest.mark.parametrize(
    ("path", "found", "site"),
    [
        ("LOGS/$server_name.log", "a.example.log", "a.example"),
        ("LOGS/$host.log", "*.log", "*"),
        ("LOGS/${http_host}/x[1].log", "*/x[[]1].log", "*"),
        ("LOGS/$year-$host.log", "*-*.log", "a.example"),
        ("LOGS/$year$month/$server_name.log", "*/a.example.log", "a.example"),
        ("LOGS/x[1].log", "x[[]1].log", "a.example"),
    ],
)
def test_variables_of_paths(tree: Tree, path: str, found: str, site: str) -> None:
    tree.write(nginx_dot_conf=http(f"server {{ server_name a.example; access_log {path}; error_log LOGS/error.log; }}"))
    (log,) = tree.logs().values()
    assert (log.path, log.site) == (f"{tree.folder}/{found}", site)
    assert log.apart == ((f"{tree.folder}/error.log",) if found == "*.log" else ())


def test_formats(tree: Tree) -> None:
    tree.write(
        nginx_dot_conf="""
            http {
                log_format a '$remote_addr [$time_local] '
                             "\\"$request\\" " $status;
                log_format b escape=json '{"t":"$time_iso8601","it\\'s":"$remote_addr",'
                             '"request":"$request","status":"$status"}';
                log_format c escape=none '$remote_addr [$time_local] "$request" $status';
                server { access_log LOGS/a.log a buffer=32k flush=5m gzip=1; }
                server { access_log LOGS/b.log b gzip; }
                server { access_log LOGS/c.log c; }
                server { access_log LOGS/ab.log a; } server { access_log LOGS/ab.log b; }
            }"""
    )
    logs = tree.logs()
    assert logs["a.log"].format == '$remote_addr [$time_local] "$request" $status'
    assert logs["b.log"].format.startswith('log_format b escape=json \'{"t":"$time_iso8601","it\\\'s":')
    assert logs["c.log"].format.startswith("log_format c escape=none '$remote_addr")
    assert logs["ab.log"].format == "" and logs["ab.log"].format_name == "a or b"
    assert all(log.followed for log in logs.values())


def test_includes(tree: Tree) -> None:
    tree.write(
        nginx_dot_conf="include other/*.conf;",
        other__1_dot_conf=f"http {{ {FORMATS} include sites/*; include empty/*; }}",
        sites__a="server { server_name a.example; access_log LOGS/a.log plain; }",
        sites__b="server { server_name b.example; access_log LOGS/b.log plain; }",
    )
    logs = tree.logs("nginx.conf", "nginx")
    assert {path: str(log.place).removeprefix(f"{tree.folder}/") for path, log in logs.items()} == {
        "a.log": "sites/a:1",
        "b.log": "sites/b:1",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http {\n include gone.conf; }", "nginx.conf:2: "),
        ("http {\n include nginx.conf; }", "nginx.conf:2: 100 files include one another"),
        ("http {\n access_log; }", "nginx.conf:2: access_log without a path"),
        ("http {\n access_log /a.log x; }", 'nginx.conf:2: unknown log format "x"'),
        ("http {\n log_format x; }", "nginx.conf:2: log_format without"),
        ("server { access_log /a.log; }", "nginx.conf:1: there is no http block in it"),
        ("http { access_log off; }", "nginx.conf: no access log is written"),
        ("hello", "nginx.conf: neither a configuration of nginx nor of Apache httpd"),
    ],
)
def test_errors_name_the_line(tree: Tree, text: str, message: str) -> None:
    tree.write(nginx_dot_conf=text)
    assert refusal(tree).startswith(message)


def test_the_default_log(tree: Tree, says: Callable[[str], None]) -> None:
    tree.write(nginx_dot_conf=http("server { server_name a.example; }"), logs__x="")
    assert tree.logs()["logs/access.log"].site == "a.example"
    says(
        "configure arguments: --prefix=/usr/share/nginx --http-log-path=/var/log/nginx/access.log --with-cc-opt='-g x'"
    )
    assert list(tree.logs()) == ["/var/log/nginx/access.log"]


def test_relative_paths_begin_at_the_prefix(tree: Tree, says: Callable[[str], None]) -> None:
    tree.write(conf__nginx_dot_conf=http("access_log some/a.log; access_log none/b.log host;"), some__x="")
    logs = tree.logs()
    assert logs["some/a.log"].followed and "relative to a prefix" in logs["none/b.log"].problem
    says(f"--prefix=/opt/nginx --conf-path={tree.folder}/conf/nginx.conf")
    assert list(tree.logs()) == ["/opt/nginx/none/b.log", "/opt/nginx/some/a.log"]


def test_what_nginx_prints_is_as_its_files(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    main = http("server { server_name a.example; access_log LOGS/a.log; } include sites/*.conf; include one;")
    files = {
        "/etc/nginx/nginx.conf": main,
        "/etc/nginx/sites/b.conf": "server { server_name b.example;\naccess_log LOGS/b.log; }",
        "/etc/nginx/one": "server { server_name c.example; access_log LOGS/c.log; }",
    }
    dump = "".join(f"# configuration file {path}:\n{text}\n\n" for path, text in files.items())
    tree.write(dump=dump)
    logs = tree.logs("dump")
    assert {path: log.site for path, log in logs.items()} == {
        "a.log": "a.example",
        "b.log": "b.example",
        "c.log": "c.example",
    }
    assert str(logs["b.log"].place) == "/etc/nginx/sites/b.conf:2"


@pytest.mark.slow
def test_a_thousand_servers(tree: Tree) -> None:
    servers = "".join(
        f"server {{ server_name s{number}.example; access_log LOGS/{number}.log; location / {{ }} location /a {{ }} }}"
        for number in range(1000)
    )
    tree.write(nginx_dot_conf=http(servers))
    assert len(Configuration(str(tree.folder)).logs()) == 1000
