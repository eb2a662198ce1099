// The requests of the window and the filters, newest first: with a choice of columns, pages, and the log line of each.

import { data } from '../data/index.js'
import { bytes, exact, seconds, stamp } from '../lib/format.js'
import { dimensionTitle, label } from '../lib/text.js'
import { dataQuery } from '../lib/url.js'
import { useFetched } from '../state/fetched.js'
import { go, state } from '../state/location.js'
import { commit, shown, zone } from '../state/store.js'
import { DropDown, FORMATS } from './controls.jsx'
import { Detail, Scroll } from './detail.jsx'
import { SqlButton } from './dialog.jsx'
import { showLine } from './lines.jsx'
import { Paging } from './paging.jsx'
import { Value } from './value.jsx'

const SIZE = 100
const STANDARD = ['ts', 'site', 'method', 'status', 'path', 'referrer', 'browser', 'country', 'bytes', 'seconds']
// The column of countries is there if addresses are looked up.
const standard = () => STANDARD.filter((name) => name !== 'country' || shown.value.some((panel) => panel.name === 'countries'))
const NUMBERS = { bytes, seconds, upstream_seconds: seconds, position: exact }

export function Requests() {
    const { offset } = state.value
    const options = { limit: SIZE, offset: offset || undefined }
    const key = `requests?${dataQuery(state.value)}|${offset}`
    // Beyond the first page, rows are not refreshed: they would move while the user reads.
    const fetched = useFetched(key, (signal) => data.requests(state.value, options, signal), { revision: offset ? 0 : commit.value })
    const { answer } = fetched
    const present = answer?.columns ?? []
    const wanted = state.value.columns.length ? state.value.columns : standard()
    const columns = present.filter((name) => wanted.includes(name))
    return (
        <Detail
            title="Requests"
            small="newest first"
            fetched={fetched}
            empty={offset ? 'No more requests.' : 'No request in this window.'}
            actions={
                <>
                    {present.length ? <Columns present={present} chosen={columns} /> : null}
                    <button type="button" class="button" onClick={() => go({ view: 'lines' })}>
                        Their lines
                    </button>
                    <Downloads />
                    <SqlButton title="Requests" sql={answer?.sql} />
                </>
            }
        >
            {answer?.rows.length ? (
                <Scroll label="Requests">
                    <table class="rows">
                        <caption class="hidden">Requests</caption>
                        <thead>
                            <tr>
                                {columns.map((name) => (
                                    <th scope="col" key={name} class={NUMBERS[name] ? 'number' : undefined}>
                                        {dimensionTitle(name)}
                                    </th>
                                ))}
                                <th scope="col">
                                    <span class="hidden">Line</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>
                            {answer.rows.map((row) => (
                                <tr key={`${row.source}:${row.position}`} class={statusClass(row.status)}>
                                    {columns.map((name) => (
                                        <td
                                            key={name}
                                            class={NUMBERS[name] ? 'number' : name === 'path' || name === 'query' ? 'wide' : undefined}
                                        >
                                            <Field name={name} value={row[name]} />
                                        </td>
                                    ))}
                                    <td>
                                        <button type="button" class="quiet text" onClick={() => showLine(row)}>
                                            Line
                                        </button>
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </Scroll>
            ) : null}
            <Paging size={SIZE} answer={answer} />
        </Detail>
    )
}

const statusClass = (status) => (Number(status) >= 500 ? 'bad' : Number(status) >= 400 ? 'warn' : undefined)

function Field({ name, value }) {
    if (name === 'ts') return <time>{stamp(value, zone.value)}</time>
    if (NUMBERS[name]) return NUMBERS[name](value)
    if (typeof value === 'boolean') return value ? 'yes' : 'no'
    if (typeof value === 'object' && value !== null) return label(JSON.stringify(value), 60).text
    return <Value dim={name} value={value} limit={name === 'path' ? 90 : 36} />
}

function Columns({ present, chosen }) {
    const toggle = (name) => {
        const next = chosen.includes(name)
            ? chosen.filter((other) => other !== name)
            : present.filter((other) => chosen.includes(other) || other === name)
        const asEver = next.join() === present.filter((other) => standard().includes(other)).join()
        if (next.length) go({ columns: asEver ? [] : next })
    }
    return (
        <DropDown className="right" kind="button" title="Choose the columns" label="Columns">
            <fieldset class="columns">
                <legend class="hidden">Columns</legend>
                {present.map((name) => (
                    <label key={name}>
                        <input type="checkbox" checked={chosen.includes(name)} onChange={() => toggle(name)} /> {dimensionTitle(name)}
                    </label>
                ))}
            </fieldset>
        </DropDown>
    )
}

const Downloads = () => (
    <span class="downloads">
        {FORMATS.map(([format, text]) => (
            <a
                key={format}
                class="button"
                download={`requests.${format}`}
                href={data.download('requests', state.value, { limit: 10_000, format })}
            >
                {text}
            </a>
        ))}
    </span>
)
