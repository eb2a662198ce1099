// The cluster: job servers, shards, tailers, quarantine.

import { useEffect, useState } from 'preact/hooks'
import { data } from '../data/index.js'
import { age, bytes, exact, stamp } from '../lib/format.js'
import { label } from '../lib/text.js'
import { useFetched } from '../state/fetched.js'
import { zone } from '../state/store.js'
import { Failure, Scroll } from './detail.jsx'
import { Rows } from './rows.jsx'

const EVERY = 2000

const text = (head, name) => ({ head, cell: (row) => label(row[name], 60).text, tip: (row) => label(row[name]).title })
const number = (head, name, show = exact) => ({ head, number: true, cell: (row) => show(row[name]) })
const time = (head, name) => ({ head, cell: (row) => (row[name] ? stamp(row[name], zone.value) : '–') })
const only = (column, name) => ({ ...column, optional: (row) => row[name] })
const problem = only(text('Problem', 'problem'), 'problem')
const state = { head: 'State', cell: ({ up }) => [<i class={up ? 'light good' : 'light bad'} />, up ? 'up' : 'down'] }
const jobs = [number('Queued', 'queued'), number('Running', 'running'), number('Workers', 'workers')]

const SERVERS = [text('Address', 'address'), state, text('Version', 'version'), problem]
const FUNCTIONS = [text('Function', 'name'), text('Job server', 'server'), ...jobs]
const SHARDS = [
    text('Shard', 'shard'),
    text('Owner', 'owner'),
    number('Lag', 'lag', bytes),
    ...jobs,
    number('Jobs taken', 'taken'),
    number('Duplicates', 'duplicates'),
    number('Gaps', 'gaps'),
    number('In memory', 'held', bytes),
    number('Refused', 'refused'),
    number('Commits', 'commits'),
    time('Last commit', 'last_commit'),
    problem,
]
const TAILERS = [
    text('Name', 'name'),
    text('Version', 'version'),
    text('State', 'state'),
    number('Lag', 'lag_seconds', age),
    number('Unread', 'unread', bytes),
    number('Uncommitted', 'uncommitted', bytes),
    number('Shards apart', 'shard_lag', bytes),
    number('Committed', 'position', bytes),
    number('Logs', 'sources'),
    number('Sent again', 'resent'),
    number('Refused', 'refused'),
    number('Last report', 'silent', (seconds) => (seconds === null ? '–' : `${age(seconds)} ago`)),
]
const LOGS = [
    text('Log', 'path'),
    text('Tailer', 'tailer'),
    number('Lag', 'lag', bytes),
    number('Position', 'position'),
    number('Bytes', 'size'),
]
const QUARANTINE = [text('File', 'file'), text('Reason', 'reason'), number('Size', 'bytes', bytes), time('Kept', 'at')]

const within = (rows, list, as, name) => rows.flatMap((row) => row[list].map((one) => ({ ...one, [as]: row[name] })))

export function Cluster() {
    const [turn, setTurn] = useState(0)
    useEffect(() => {
        const timer = setInterval(() => document.hidden || setTurn((count) => count + 1), EVERY)
        return () => clearInterval(timer)
    }, [])
    const { answer, error } = useFetched('cluster', (signal) => data.cluster(signal), { revision: turn })
    if (error) return <Failure error={error} />
    if (!answer) return <div class="skeleton tall" aria-hidden="true" />
    const { servers, shards, tailers, quarantine, lake } = answer
    return (
        <div class="cluster">
            <Card title="Job servers" rows={servers} columns={SERVERS} empty="No job server is configured." />
            <Card title="Shards" rows={shards} columns={SHARDS} empty="No shard has an owner yet.">
                <small>
                    {lake.problem || (lake.commits ? `${exact(lake.commits)} commits, the last ${stamp(lake.last_commit, zone.value)}` : '')}
                </small>
            </Card>
            <Card title="Tailers" rows={tailers} columns={TAILERS} empty="No tailer has reported." />
            <Card title="Logs" rows={within(tailers, 'logs', 'tailer', 'name')} columns={LOGS} empty="No log is followed." />
            <Card title="Functions" rows={within(servers, 'functions', 'server', 'address')} columns={FUNCTIONS} empty="None." />
            <Card title="Quarantine" rows={quarantine} columns={QUARANTINE} empty="Nothing is in quarantine." />
        </div>
    )
}

function Card({ title, rows, columns, empty, children }) {
    return (
        <section class="card">
            <header class="card-head">
                <h2>
                    {title} <small>{rows.length || ''}</small>
                </h2>
                <span class="grow" />
                {children}
            </header>
            {rows.length ? (
                <Scroll label={title}>
                    <Rows title={title} kind="rows" columns={columns} rows={rows} />
                </Scroll>
            ) : (
                <p class="empty">{empty}</p>
            )}
        </section>
    )
}
