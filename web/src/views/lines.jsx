// Log lines: a view of the lines that match the filters, and a dialog with the line of one request.

import { data } from '../data/index.js'
import { exact, stamp } from '../lib/format.js'
import { label, visible } from '../lib/text.js'
import { dataQuery, DIMENSIONS } from '../lib/url.js'
import { isoMinute, floorMinute, MINUTE } from '../lib/window.js'
import { useFetched } from '../state/fetched.js'
import { state } from '../state/location.js'
import { zone } from '../state/store.js'
import { Detail, Failure } from './detail.jsx'
import { CopyButton, dialog } from './dialog.jsx'

const SIZE = 50
const LONGEST = 2000

export function Lines() {
    const fetched = useFetched(`lines?${dataQuery(state.value)}`, (signal) => data.lines(state.value, { limit: SIZE }, signal))
    return (
        <Detail title="Lines" small={`as the logs have them, at most ${SIZE}`} fetched={fetched} empty="No line in this window.">
            <table class="lines">
                <caption class="hidden">Lines</caption>
                <tbody>
                    {fetched.answer?.rows.map((row) => (
                        <Line key={`${row.source}:${row.position}`} row={row} />
                    ))}
                </tbody>
            </table>
        </Detail>
    )
}

function Line({ row }) {
    return (
        <tr>
            <th scope="row" class="where">
                <time>{stamp(row.ts, zone.value)}</time> <Place path={row.file ?? row.source} position={row.position} />
            </th>
            <td>
                <LineText row={row} />
            </td>
        </tr>
    )
}

export function Place({ path, position }) {
    const { text, title } = label(path, 70)
    return (
        <>
            <span title={title}>{text}</span>, byte {exact(position)}
        </>
    )
}

// The text of a line, or the reason why it is missing.
export function LineText({ row: { line, reason } }) {
    if (line === null || line === undefined) return <p class="note">No line: {visible(reason || 'its log is not there')}</p>
    return (
        <pre class="line" tabindex="0">
            {visible(line.slice(0, LONGEST))}
            {line.length > LONGEST ? <i>… {exact(line.length - LONGEST)} more characters</i> : null}
        </pre>
    )
}

// The API finds lines by window and filters. The minute of a request and all its values leave few lines; its position selects one.
async function find(row) {
    const from = floorMinute(Date.parse(row.ts))
    const known = DIMENSIONS.filter(
        (dim) => dim !== 'status_class' && row[dim] !== undefined && row[dim] !== null && String(row[dim]).length < 500,
    )
    const near = {
        ...state.value,
        since: isoMinute(from),
        until: isoMinute(from + MINUTE),
        compare: 'none',
        not: [],
        is: known.map((dim) => ({ dim, value: String(row[dim]) })),
    }
    const { rows } = await data.lines(near, { limit: SIZE, source: row.source, position: row.position })
    return rows.find((other) => String(other.position) === String(row.position) && (other.source === row.source || !other.source))
}

export function showLine(row) {
    dialog.value = { title: 'Line of a request', wide: true, body: () => <OneLine row={row} /> }
}

function OneLine({ row }) {
    const { key, answer, error } = useFetched(`${row.source}:${row.position}`, () => find(row))
    const fields = Object.entries(row).filter(([, value]) => value !== null && value !== undefined && value !== '')
    return (
        <div>
            <Failure error={error} />
            {error ? null : !key ? (
                <p class="hint">Looking for it …</p>
            ) : !answer ? (
                <p class="note">The line is not among the first {SIZE} of its minute.</p>
            ) : (
                <>
                    <p class="where">
                        <Place path={answer.file ?? answer.source} position={answer.position} />
                    </p>
                    <figure class="code">
                        <LineText row={answer} />
                        {answer.line ? <CopyButton text={answer.line} /> : null}
                    </figure>
                </>
            )}
            <h3>As it was counted</h3>
            <dl class="fields">
                {fields.map(([name, value]) => (
                    <div key={name}>
                        <dt>{name}</dt>
                        <dd>
                            {name === 'ts'
                                ? stamp(value, zone.value)
                                : visible(String(typeof value === 'object' ? JSON.stringify(value) : value).slice(0, LONGEST))}
                        </dd>
                    </div>
                ))}
            </dl>
        </div>
    )
}
