"""In: the newest snapshot of a lake, the heartbeats of its tails, `[[alert]]` and `[notify.NAME]`.
Out: the state of each alert, in the lake's folder `alerts/`; notifications to receivers.
Promise: what is decided is on the disk before it is sent. A notification is sent once, and at worst once more after a crash;
none is lost while its receiver is down. An alert that fails stops neither the tail nor another alert.

    rules    the built-in rules            states   the state machine of an alert, pure
    asking   queries in the sandbox        messages what is sent, as data
    probes   what no query can ask         store    states and waiting notifications, on the disk
    moments  the data's own time           sending  the waiting notifications, to `receivers`
    rounds   one round of evaluation       service  both, beside a tail or a worker; replay asks the past
    folder   names of what the store writes
"""
