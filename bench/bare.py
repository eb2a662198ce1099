"""The least a program must do: count the lines by minute and path, and write nothing. Prints the groups and the lines.

python -m bench.bare duckdb access.log
"""

from __future__ import annotations

import re
import sys
from collections import Counter

COLUMNS = ("client", "ident", "name", "time", "zone", "request", "status", "bytes", "referrer", "agent")


def by_duckdb(log: str) -> tuple[int, int]:
    import duckdb

    query = f"""
        SELECT count(*), sum(lines) FROM (
            SELECT substr(time, 2, 17) AS minute, split_part(split_part(request, ' ', 2), '?', 1) AS path, count(*) AS lines
            FROM read_csv(?, delim=' ', quote='"', escape='', header=false, auto_detect=false, columns={dict.fromkeys(COLUMNS, "VARCHAR")})
            GROUP BY minute, path
        )"""
    found = duckdb.execute(query, [log]).fetchone()
    assert found, "an aggregate has a row"
    return found[0], found[1]


def by_chdb(log: str) -> tuple[int, int]:
    import chdb

    columns = ", ".join(f"{name} String" for name in COLUMNS)
    path = log.replace("\\", "\\\\").replace("'", "\\'")
    query = f"""
        SELECT count(), sum(lines) FROM (
            SELECT substring(time, 2, 17) AS minute, splitByChar('?', splitByChar(' ', request)[2])[1] AS path, count() AS lines
            FROM file('{path}', 'CSV', '{columns}') GROUP BY minute, path
        ) SETTINGS format_csv_delimiter = ' ', input_format_csv_allow_whitespace_or_tab_as_delimiter = 1"""
    groups, lines = str(chdb.query(query, "TSV")).split()
    return int(groups), int(lines)


def by_python(log: str) -> tuple[int, int]:
    counts: Counter[tuple[bytes, ...]] = Counter()
    match = re.compile(rb'\S+ \S+ \S+ \[([^:]+:\d\d:\d\d)[^\]]*\] "\S+ ([^ ?"]+)').match
    with open(log, "rb") as file:
        for line in file:
            if found := match(line):
                counts[found.groups()] += 1
    return len(counts), counts.total()


if __name__ == "__main__":
    print(*{"duckdb": by_duckdb, "chdb": by_chdb, "python": by_python}[sys.argv[1]](sys.argv[2]))
