// The cluster: job servers, shards, tailers, quarantine. Tables are made from what the answer has.

import { useEffect, useState } from 'preact/hooks'
import { data } from '../data/index.js'
import { age, bytes, exact } from '../lib/format.js'
import { dimensionTitle, label } from '../lib/text.js'
import { useFetched } from '../state/fetched.js'
import { Failure, Scroll } from './detail.jsx'

const EVERY = 2000
const TITLES = { servers: 'Job servers', shards: 'Shards', tailers: 'Tailers', quarantine: 'Quarantine' }
const EMPTY = {
    servers: 'No job server is configured.',
    shards: 'No shard has an owner yet.',
    tailers: 'No tailer has reported.',
    quarantine: 'Nothing is in quarantine.',
}

export function Cluster() {
    const [turn, setTurn] = useState(0)
    useEffect(() => {
        const timer = setInterval(() => document.hidden || setTurn((count) => count + 1), EVERY)
        return () => clearInterval(timer)
    }, [])
    const { answer, error } = useFetched('cluster', (signal) => data.cluster(signal), { revision: turn })
    if (error) return <Failure error={error} />
    if (!answer) return <div class="skeleton tall" aria-hidden="true" />
    const lists = Object.entries(answer).filter(([, rows]) => Array.isArray(rows))
    return (
        <div class="cluster">
            {lists.map(([name, rows]) => (
                <section class="card" key={name} aria-labelledby={`cluster-${name}`}>
                    <header class="card-head">
                        <h2 id={`cluster-${name}`}>
                            {TITLES[name] ?? dimensionTitle(name)} <small>{rows.length || ''}</small>
                        </h2>
                    </header>
                    {rows.length ? <Rows title={TITLES[name] ?? name} rows={rows} /> : <p class="empty">{EMPTY[name] ?? 'None.'}</p>}
                </section>
            ))}
        </div>
    )
}

// Columns are the keys of all rows; a list of rows within a row is a table within its cell.
function Rows({ title, rows }) {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
    const numeric = (name) => rows.every((row) => typeof row[name] === 'number' || row[name] === null || row[name] === undefined)
    return (
        <Scroll label={title}>
            <table class="rows">
                <caption class="hidden">{title}</caption>
                <thead>
                    <tr>
                        {columns.map((name) => (
                            <th scope="col" key={name} class={numeric(name) ? 'number' : undefined}>
                                {dimensionTitle(name)}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {rows.map((row) => (
                        <tr>
                            {columns.map((name, index) => {
                                const Cell = index ? 'td' : 'th'
                                return (
                                    <Cell scope={index ? undefined : 'row'} key={name} class={numeric(name) ? 'number' : undefined}>
                                        <Field name={name} value={row[name]} />
                                    </Cell>
                                )
                            })}
                        </tr>
                    ))}
                </tbody>
            </table>
        </Scroll>
    )
}

function Field({ name, value }) {
    if (Array.isArray(value)) {
        if (!value.length) return '–'
        return typeof value[0] === 'object' ? <Rows title={dimensionTitle(name)} rows={value} /> : label(value.join(', '), 120).text
    }
    if (name === 'up')
        return (
            <>
                <i class={`light ${value ? 'good' : 'bad'}`} />
                {value ? 'up' : 'down'}
            </>
        )
    if (typeof value === 'boolean') return value ? 'yes' : 'no'
    if (typeof value === 'number') return /bytes/.test(name) ? bytes(value) : /seconds|age/.test(name) ? age(value) : exact(value)
    if (value !== null && typeof value === 'object') return label(JSON.stringify(value), 120).text
    const { text, title } = label(value, 60)
    return <span title={title}>{text}</span>
}
