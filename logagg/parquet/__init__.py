"""Writes columns as a Parquet file, where pyarrow's writer has no shape for text that is dictionary-encoded already.

    table ──▶ chunks: a dictionary and codes, differences, plain values ──▶ pages ──▶ row groups ──▶ footer

pyarrow and DuckDB read the files. Nearly all of the 44 columns of requests are codes of few values, for which pyarrow's writer
takes two and a half times as long (docs/decisions/0036). The format: https://github.com/apache/parquet-format.
"""
