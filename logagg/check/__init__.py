"""In: a configuration, paths, the lake and the machine.
Out: what a tail would read and how, and what is wrong, each with its remedy (`logagg check`).
Promise: a check writes only on demand (`--repair`); one problem does not hide another."""
