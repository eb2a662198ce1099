"""The logs of Apache httpd: virtual hosts, formats, definitions, conditions, macros, includes, pipes, layouts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from logagg.errors import ConfigError
from logagg.parse.formats.compile import compile_format
from tests.units.servers.conftest import Tree

FORMATS = r"""
LogFormat "%h %l %u %t \"%r\" %>s %b" common
LogFormat "%v %h %l %u %t \"%r\" %>s %b" vhost
"""


def host(name: str, *lines: str) -> str:
    named = [f"ServerName {name}"] if name else []
    return "\n".join(["<VirtualHost *:80>", *named, *lines, "</VirtualHost>", ""])


def refusal(tree: Tree) -> str:
    with pytest.raises(ConfigError) as caught:
        tree.logs("", "apache")
    return str(caught.value).removeprefix(f"{tree.folder}/")


def test_a_virtual_host_has_its_own_logs_or_those_of_the_main_server(tree: Tree) -> None:
    tree.write(
        apache2_dot_conf=FORMATS
        + "ServerName main.example\nCustomLog LOGS/main.log common\nGlobalLog LOGS/global.log vhost\n"
        + host("HTTPS://A.example:443", "CustomLog LOGS/a.log common")
        + host("b.example", "ServerAlias www.b.example")
        + host("", "CustomLog LOGS/unnamed.log common")
    )
    found = {path: (log.site, log.sites) for path, log in tree.logs().items()}
    assert found == {
        "a.log": ("a.example", ("a.example",)),
        "main.log": ("b.example", ("b.example",)),
        "global.log": ("", ("a.example", "b.example")),
        "unnamed.log": ("", ()),
    }


def test_each_request_is_followed_once(tree: Tree) -> None:
    tree.write(
        apache2_dot_conf=FORMATS
        + "GlobalLog LOGS/global.log vhost\n"
        + host("a.example", "CustomLog LOGS/a.log common", "CustomLog LOGS/odd.log vhost env=odd")
        + host("b.example", "CustomLog LOGS/b.log common expr=%{REQUEST_STATUS}>=500")
    )
    logs = tree.logs()
    assert [path for path, log in logs.items() if log.followed] == ["global.log"]


def test_the_main_server_without_virtual_hosts(tree: Tree) -> None:
    tree.write(httpd_dot_conf=FORMATS + "ServerName a.example:8080\nTransferLog LOGS/a.log")
    assert (tree.logs()["a.log"].site, tree.logs()["a.log"].format_name) == ("a.example", "common")


def test_formats(tree: Tree) -> None:
    tree.write(
        apache2_dot_conf='LogFormat "%a %t \\"%r\\" %>s"\n'
        + host("a.example", "TransferLog LOGS/default.log", r'CustomLog LOGS/own.log "%h %t \"%r\" %s %D"')
        + host("b.example", "CustomLog LOGS/later.log LATER", "CustomLog LOGS/none.log nope")
        + host("c.example", r'LogFormat "%v %h %t \"%r\" %s" later', "CustomLog LOGS/inner.log later")
        + 'LogFormat "%h\\t%t\\t%r\\t%>s" later\n'
        + host("d.example", "LogFormat later", "TransferLog LOGS/nick.log")
    )
    logs = tree.logs()
    assert {path: log.format for path, log in logs.items()} == {
        "default.log": '%a %t "%r" %>s',
        "own.log": '%h %t "%r" %s %D',
        "later.log": r"%h\t%t\t%r\t%>s",
        "inner.log": '%v %h %t "%r" %s',
        "nick.log": r"%h\t%t\t%r\t%>s",
        "none.log": "nope",
    }
    assert logs["none.log"].refused == "there is no LogFormat 'nope'"
    assert all(compile_format(log.format) for log in logs.values() if log.followed)


def test_definitions_and_conditions(tree: Tree, says: Callable[[str], None]) -> None:
    says('Server version: Apache/2.4.50 (Unix)\n -D HTTPD_ROOT="/opt/httpd"\n')
    tree.write(
        apache2_dot_conf=FORMATS
        + """
            LoadModule rewrite_module modules/mod_rewrite.so
            Define name a.example
            Define ON
            <IfModule mod_rewrite.c>
                CustomLog LOGS/${name}.log common
            </IfModule>
            <IfModule !rewrite_module>
                CustomLog LOGS/no-1.log common
            </IfModule>
            <IfModule mod_nothing.c>
                Include nowhere.conf
            </IfModule>
            <IfDefine ON>
                <IfDefine !OFF>
                    CustomLog LOGS/on.log common
                </IfDefine>
            </IfDefine>
            UnDefine ON
            <IfDefine ON>
                CustomLog LOGS/no-2.log common
            </IfDefine>
            <IfVersion >= 2.4.49>
                CustomLog LOGS/new.log common
            </IfVersion>
            <IfVersion !~ ^2\\.4>
                CustomLog LOGS/no-3.log common
            </IfVersion>
            <IfFile apache2.conf>
                CustomLog LOGS/there.log common
            </IfFile>
            <Directory /srv>
                CustomLog LOGS/no-4.log common
            </Directory>
            CustomLog LOGS/${unknown}/a.log common
        """
    )
    logs = tree.logs()
    assert set(logs) == {"${unknown}/a.log", "a.example.log", "on.log", "new.log", "there.log"}
    assert logs["${unknown}/a.log"].refused.startswith("${unknown} is not defined")


def test_macros(tree: Tree) -> None:
    tree.write(
        apache2_dot_conf=FORMATS
        + "<Macro Site $name $names>\n"
        + host("$name.example", "ServerAlias $names", "CustomLog LOGS/$name.log common")
        + '</Macro>\nUse site a "x.example y.example"\nUse Site b z.example\n'
    )
    assert {path: log.site for path, log in tree.logs().items()} == {"a.log": "a.example", "b.log": "b.example"}


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("/usr/bin/rotatelogs LOGS/a.%Y-%m-%d.log 86400", "a.*.log"),
        ("/usr/sbin/rotatelogs -l -L LOGS/link -n 5 LOGS/a.log 86400", "a.log"),
        ("rotatelogs -f LOGS/a.log 5M", "a.log.*"),
        ("rotatelogs -t LOGS/a.log 5M", "a.log"),
        ("/usr/bin/cronolog --period=day LOGS/%Y/%m/a-%-d%%.log", "*/*/a-*%.log"),
        ("rotatelogs logs/a.log 5M", ""),
        ("/usr/bin/logger -t httpd", ""),
        ("rotatelogs 'a", ""),
    ],
)
@pytest.mark.parametrize("pipe", ["|", "||", "|$"])
def test_pipes(tree: Tree, command: str, found: str, pipe: str) -> None:
    tree.write(apache2_dot_conf=FORMATS + f'CustomLog "{pipe}{command}" common')
    ((path, log),) = tree.logs().items()
    assert path == found if found else "a program writes it" in log.refused


def test_the_layout_of_debian(tree: Tree) -> None:
    tree.write(
        apache2__apache2_dot_conf=FORMATS
        + "IncludeOptional conf-enabled/*.conf\nIncludeOptional sites-enabled/*.conf\n",
        apache2__envvars=(
            "unset HOME\n"
            'if [ "${APACHE_CONFDIR##/etc/apache2-}" != "${APACHE_CONFDIR}" ] ; then\n'
            '\tSUFFIX="-${APACHE_CONFDIR##/etc/apache2-}"\nelse\n\tSUFFIX=\nfi\n'
            "export APACHE_LOG_DIR=LOGS/apache2$SUFFIX  # where\nexport LANG=C\n"
        ),
        **{
            "apache2__conf-enabled__other_dot_conf": "CustomLog ${APACHE_LOG_DIR}/other.log vhost",
            "apache2__sites-enabled__a_dot_conf": host("a.example", "CustomLog ${APACHE_LOG_DIR}/a.log common"),
        },
    )
    assert {path: log.site for path, log in tree.logs("apache2").items()} == {
        "apache2/a.log": "a.example",
        "apache2/other.log": "",
    }
    (tree.folder / "apache2").rename(tree.folder / "apache2-two")
    assert set(tree.logs("apache2-two")) == {"apache2-two/a.log", "apache2-two/other.log"}


def test_the_layout_of_red_hat(tree: Tree) -> None:
    tree.write(
        httpd__conf__httpd_dot_conf=FORMATS
        + 'ServerRoot "LOGS/httpd"\nInclude conf.modules.d/*.conf\n'
        + '<IfModule log_config_module>\nCustomLog "logs/access_log" common\n</IfModule>\nIncludeOptional conf.d/*.conf\n',
        httpd__conf_dot_modules_dot_d__00_dot_conf="LoadModule log_config_module modules/mod_log_config.so",
        httpd__conf_dot_d__ssl_dot_conf=host("a.example", 'CustomLog logs/ssl_request_log "%t %h \\"%r\\" %s"'),
        httpd__conf_dot_d__sub__x="not included",
    )
    assert set(tree.logs("httpd")) == {"httpd/logs/access_log", "httpd/logs/ssl_request_log"}


def test_a_directory_is_included_with_all_below(tree: Tree) -> None:
    tree.write(
        apache2_dot_conf=FORMATS + "Include sites\n",
        sites__a=host("a.example", "CustomLog LOGS/a.log common"),
        sites__more__b=host("b.example", "CustomLog LOGS/b.log common"),
    )
    assert set(tree.logs()) == {"a.log", "b.log"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nInclude gone.conf", "apache2.conf:2: "),
        ("\nInclude gone/*.conf", "apache2.conf:2: "),
        ("Include apache2.conf", "apache2.conf:1: 20 files include one another"),
        ("\nUse Nothing", "apache2.conf:2: there is no macro 'Nothing'"),
        ("<Macro A>\nUse A\n</Macro>\nUse A", "apache2.conf:2: 20 macros use one another"),
        ("CustomLog a.log", "apache2.conf:1: customlog takes a file and a format"),
        ("TransferLog a.log b", "apache2.conf:1: transferlog takes a file"),
        ("LogFormat", "apache2.conf:1: LogFormat takes"),
        ("ServerName a", "apache2.conf: no access log is written"),
    ],
)
def test_errors_name_the_line(tree: Tree, text: str, message: str) -> None:
    tree.write(apache2_dot_conf=text)
    assert refusal(tree).startswith(message)


def test_an_empty_directory(tree: Tree) -> None:
    assert "there is no apache2.conf or httpd.conf" in refusal(tree)
