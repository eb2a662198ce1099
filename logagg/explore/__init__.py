"""Explore a lake: one model of windows, filters, panels and measures, for the web page, its API and reports as HTML.

    Scope.of(parameters) ──▶ panel_query(...), totals_queries(...), series_query(...) ──▶ Query(sql) ──▶ answers

A `Query` is SQL text that anyone may run as it is: values are literals in it. Names of dimensions, measures and tables
come from the lists here, never from a request."""
