"""How fast, how much memory, how fresh: measured on the machine that asks.

make_log ─▶ run     logagg and its peers on the same log; logs of several lengths and kinds
         ─▶ stages  each stage of the pipeline alone
         ─▶ follow  freshness under load, and what following idle files costs

make_lake ─▶ year   what a year's lake takes to commit to, to ask and to make coarser; `ask` asks it and plain DuckDB
"""
