"""The formats that have a name, most specific first: the order in which detection tries them."""

from __future__ import annotations

from collections.abc import Mapping

NAMED: Mapping[str, str] = {
    "vhost-combined": '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    "main": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i"',
    "combined-time": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %{s}T',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "vhost-common": '%v %h %l %u %t "%r" %>s %b',
    "common": '%h %l %u %t "%r" %>s %b',
}
