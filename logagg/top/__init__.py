"""`logagg top`: the page of `logagg serve` in a terminal.

    keys, mouse ──▶ State (a `View` of the model, and what is on the screen) ──▶ questions ──▶ answers ──▶ lines of spans

What is asked and answered is `logagg.explore`'s. A picture is made of spans, plain text with the name of a style, in which
nothing from a log is interpreted; `app` shows it with Textual, `plain` prints it once."""
