"""`logagg alert`: alerts that fire, alerts that would have fired, silences."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logagg.cli import Shared, shared_options
from logagg.commands.options import Parsed, log_json_option, tz_option
from logagg.commands.output import Output, output_options
from logagg.config.types import INTERVAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from logagg.alert.overview import AlertRow
    from logagg.alert.replay import Replay
    from logagg.alert.rules import Alert
    from logagg.config.sections import Config

NO_ALERTS = "the configuration has no [[alert]]; logagg alert test errors says when a built-in one would have fired"
LAST_WEEK = 7 * 86_400.0

_label_option = click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only what has this label; several: all of them."
)


@click.group()
def alert() -> None:
    """Show alerts, test them on the history, silence them.

    A running tail evaluates the [[alert]]s of logagg.toml, and in a cluster one of the workers.
    """


@alert.command("list")
@output_options
@shared_options
def list_(output: Output, shared: Shared) -> None:
    """Show each alert and its instances; those that fire come first."""
    from logagg.alert.overview import rows
    from logagg.alert.rules import alerts_of
    from logagg.clock import SystemClock

    output.check(shared.lake)
    found = rows(_lake(shared), SystemClock().now(), alerts_of(shared.config))
    _write(found, output)
    if not found and output.is_for_people and shared.verbosity >= 0:
        click.echo(NO_ALERTS, err=True)


@alert.command("test")
@click.argument("name")
@click.option("--since", metavar="WHEN", help="Where the history begins (default: 7 days before its end).")
@click.option("--until", metavar="WHEN", help="Where it ends (default: with the newest data).")
@tz_option
@output_options
@shared_options
def test(name: str, since: str | None, until: str | None, tz: str | None, output: Output, shared: Shared) -> None:
    """Say when an alert would have fired.

    NAME is an [[alert]] of logagg.toml, or a built-in rule: errors, slow, no_traffic, surge, not_found, bots. Nothing is sent.
    """
    from logagg.alert.replay import Replay, newest
    from logagg.clock import SystemClock
    from logagg.query.times import moment

    output.check(shared.lake)
    config, zone, now = shared.config, shared.zone(tz, people=output.is_for_people), SystemClock().now()
    wanted, last = _named(name, config), newest(_lake(shared))
    ends, begins = moment(until, now, "until", zone), moment(since, now, "since", zone)
    end = ends.timestamp() if ends else last
    replay = Replay(shared.lake, wanted, config, begins.timestamp() if begins else end - LAST_WEEK, end)
    changes = list(replay.changes())
    columns = ("at", "state", "labels", "value", "message")
    cells = [(one.at.astimezone(zone), one.state, dict(one.labels), one.value, one.message) for one in changes]
    if cells or not output.is_for_people:
        _write_rows(columns, cells, output)
    if output.is_for_people and shared.verbosity >= 0:
        click.echo(_summary(replay), err=output.path is not None)


def _summary(replay: Replay) -> str:
    from logagg.quantities import counted

    minutes = counted(replay.seconds // 60, "minute")
    still = f", and {replay.open} still at the end" if replay.open else ""
    said = (
        f"have fired {counted(replay.fired, 'time')}, for {minutes} in all{still}" if replay.fired else "not have fired"
    )
    return f"{replay.alert.name}: would {said}; {counted(replay.evaluations, 'evaluation')}"


@alert.command("silence")
@click.argument("name")
@_label_option
@click.option(
    "--for", "seconds", type=Parsed("duration", INTERVAL.convert), required=True, metavar="DURATION", help="How long."
)
@click.option("--reason", default="", help="Why, for those who see it in the list.")
@shared_options
def silence(name: str, labels: tuple[str, ...], seconds: float, reason: str, shared: Shared) -> None:
    """Hold notifications of an alert back for a while.

    It is evaluated all the same, and an alert that still fires at the end is sent then.
    """
    from logagg.alert import store
    from logagg.clock import SystemClock, written

    lake, now = _owned(shared), float(int(SystemClock().now()))
    _refuse_unknown(name, shared)
    wanted = store.Silence(store.new_id(), name, _labels(labels), now, now + seconds, reason, _user())
    store.silence(lake, wanted)
    if shared.verbosity >= 0:
        click.echo(f"{wanted.id}: {name} is silent until {written(wanted.until)}")


@alert.command("unsilence")
@click.argument("id", metavar="ID")
@shared_options
def unsilence(id: str, shared: Shared) -> None:
    """End a silence; alerts that still fire are sent."""
    from logagg.alert import store
    from logagg.errors import NotFound

    lake = _owned(shared)
    if not store.end_silence(lake, id):
        raise NotFound(f"{id}: no such silence", "`logagg alert silences` lists them")


@alert.command("silences")
@output_options
@shared_options
def silences(output: Output, shared: Shared) -> None:
    """Show the silences that hold now."""
    from datetime import UTC, datetime

    from logagg.alert import store
    from logagg.clock import SystemClock

    output.check(shared.lake)
    now = SystemClock().now()
    found = [one for one in store.silences(_lake(shared)) if one.since <= now < one.until]
    columns = ("id", "alert", "labels", "until", "reason", "by")
    cells = [
        (one.id, one.alert, dict(one.labels), datetime.fromtimestamp(one.until, UTC), one.reason, one.by)
        for one in found
    ]
    _write_rows(columns, cells, output)


@alert.command("ack")
@click.argument("name")
@_label_option
@shared_options
def ack(name: str, labels: tuple[str, ...], shared: Shared) -> None:
    """Acknowledge the alert as it fires now: it is not sent again.

    Its end is sent, and the next time that it fires.
    """
    from logagg.alert import store
    from logagg.errors import NotFound
    from logagg.quantities import counted

    lake, wanted = _owned(shared), _labels(labels)
    record = store.read(lake).alerts.get(name)
    firing = [(key, one) for key, one in (record.instances.items() if record else ()) if one.state == "firing"]
    found = [(key, one) for key, one in firing if wanted.items() <= one.labels.items()]
    if not found:
        raise NotFound(f"{name}: nothing of it fires", "`logagg alert list` shows what does")
    for key, one in found:
        store.acknowledge(lake, key, one.fired, _user())
    if shared.verbosity >= 0:
        click.echo(f"{name}: {counted(len(found), 'alert')} acknowledged")


@alert.command("run")
@click.option("--once", is_flag=True, help="Evaluate the alerts that are due, send the notifications that wait, exit.")
@log_json_option
@shared_options
def run(once: bool, log_json: bool, shared: Shared) -> None:
    """Evaluate alerts and send notifications, without a tail.

    A running tail does this by itself; this is for a lake that tail --once fills, or to watch the tail. SIGTERM and SIGINT end it, SIGHUP reads the configuration again.
    """
    from logagg.alert.service import run_alone, run_once
    from logagg.clock import SystemClock
    from logagg.notice_log import Notices
    from logagg.tail.signals import ControlRequests

    lake, clock = _owned(shared), SystemClock()
    notices = Notices(clock, verbosity=shared.verbosity, as_json=log_json)
    if once:
        run_once(lake, shared.config, clock, notices.report)
        return
    requests = ControlRequests()
    with requests.heeded():
        run_alone(lake, lambda: shared.config, clock, notices.report, requests.wait)


@alert.command("send")
@click.argument("receiver")
@shared_options
def send(receiver: str, shared: Shared) -> None:
    """Send a trial notification, to see it arrive."""
    from logagg.alert.delivery import Undelivered
    from logagg.alert.messages import trial
    from logagg.alert.receivers import deliver
    from logagg.clock import SystemClock
    from logagg.errors import LogaggError, NotFound

    config = shared.config
    known = {one.name: one for one in config.receivers}
    if receiver not in known:
        raise NotFound(
            f"{receiver}: no such receiver", f"there are {', '.join(known)}" if known else "write [notify.NAME]"
        )
    try:
        deliver(known[receiver], trial(known[receiver], SystemClock().now()), config.alerts.url)
    except Undelivered as error:
        raise LogaggError(f"{receiver}: {error}") from None
    if shared.verbosity >= 0:
        click.echo(f"{receiver}: delivered")


# what they share


def _lake(shared: Shared) -> Path:
    """Return the lake. Raises LakeError if there is none."""
    from logagg.query.snapshot import target_of

    target_of(shared.lake)
    return shared.lake


def _owned(shared: Shared) -> Path:
    """Return the lake, to write into. Raises LakeError if it belongs to another user."""
    from logagg.lake.layout import prepare_to_write

    prepare_to_write(shared.lake)
    return shared.lake


def _named(name: str, config: Config) -> Alert:
    from logagg.alert.rules import alert_named
    from logagg.config.alerts import RULES
    from logagg.errors import NotFound

    found = alert_named(name, config)
    if found is None:
        known = dict.fromkeys([*(one.name for one in config.watched), *RULES])
        raise NotFound(f"{name}: no such alert", f"there are {', '.join(known)}")
    return found


def _refuse_unknown(name: str, shared: Shared) -> None:
    """Raise NotFound for an alert that is neither configured nor known to the lake: a silence of it would be a mistake."""
    from logagg.alert import store

    if name not in store.read(shared.lake).alerts:
        _named(name, shared.config)


def _labels(written: Iterable[str]) -> dict[str, str]:
    found = dict[str, str]()
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--label {one}: write NAME=VALUE, such as site=shop.example.com")
        found[name] = value
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _write(found: Sequence[AlertRow], output: Output) -> None:
    columns: tuple[str, ...] = ("alert", "state", "labels", "since", "value", "message", "note")
    if not output.is_for_people:
        columns += ("fingerprint",)
    _write_rows(columns, [tuple(one.as_dict()[name] for name in columns) for one in found], output)


def _write_rows(columns: tuple[str, ...], cells: Sequence[Sequence[Any]], output: Output) -> None:
    from logagg.alert.states import written_labels
    from logagg.query.render import Rows

    with output.stream() as stream:
        if output.is_arrow:
            _write_arrow(columns, cells, output, stream)
        elif output.is_for_people:
            at = columns.index("labels")
            rows = [
                [written_labels(cell) if number == at else cell for number, cell in enumerate(row)] for row in cells
            ]
            output.write(Rows(columns, rows), stream)
        else:
            output.write(Rows(columns, cells), stream)


def _write_arrow(columns: Sequence[str], cells: Sequence[Sequence[Any]], output: Output, stream: Any) -> None:
    import json

    import pyarrow as pa

    made = {
        name: [json.dumps(row[at]) if name == "labels" else row[at] for row in cells] for at, name in enumerate(columns)
    }
    table = pa.table(made)
    output.write_arrow(table.schema, table.to_batches(), stream)
