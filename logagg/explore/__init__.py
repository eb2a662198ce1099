"""In: the choices of a user: window, filters, panels, measures.
Out: queries and their answers, for the web page, its API, `logagg top` and reports as HTML, which share this model.
Promise: names of dimensions, measures and tables come from the lists here, never from a request; values are literals.

    Scope.of(parameters) ──▶ panel_query(...), totals_queries(...), series_query(...) ──▶ Query(sql) ──▶ answers

A `Query` is SQL text that a user can run as it is."""
