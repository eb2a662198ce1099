"""In: the newest snapshot of a lake, the heartbeats of its tails, `[[alert]]` and `[notify.NAME]`.
Out: the state of each alert, in the lake's folder `alerts/`; notifications to receivers.
Promise: a decision is on the disk before its notification is sent. A notification is sent once, at worst once more after a
crash, and is not lost while its receiver is down. An alert that fails stops neither the tail nor another alert.

    rules       the built-in rules         states    the state machine of an alert, pure
    queries     of alerts, in the sandbox  messages  notifications, as data
    probes      facts outside the lake     store     states and waiting notifications, on the disk
    data_time   the data's own time        sending   the waiting notifications, to `receivers`
    evaluation  one round of it            service   both, beside a tail or a worker; replay asks the past
"""
