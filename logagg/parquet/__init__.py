"""Writes columns whose text is dictionary-encoded already as a Parquet file; pyarrow and DuckDB read it.

    table ──▶ columns: a dictionary and codes, differences, plain values ──▶ pages ──▶ row groups ──▶ footer

Requests have 44 columns, nearly all of them codes of few values: pyarrow's writer takes five times as long to write them
(docs/decisions/0037). Rollups, whose columns are plain, are written by pyarrow. The format: https://parquet.apache.org/docs.
"""
