"""In: keys and mouse, and the newest snapshot of a lake.
Out: the page of `logagg serve` as text, in a terminal or printed once (`logagg top`).
Promise: nothing from a log is interpreted as markup or as a control sequence.

    keys, mouse ──▶ State (a `View` of the model, and the content of the screen) ──▶ questions ──▶ answers ──▶ lines of spans

`logagg.explore` has the questions and answers. A picture is made of spans, plain text with the name of a style; `app`
shows it with Textual, `plain` prints it once."""
