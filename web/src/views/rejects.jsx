// Lines that did not parse, by reason, and samples of a reason.

import { data } from '../data/index.js'
import { exact } from '../lib/format.js'
import { visible } from '../lib/text.js'
import { useFetched } from '../state/fetched.js'
import { go, state } from '../state/location.js'
import { commit } from '../state/store.js'
import { Detail, Failure } from './detail.jsx'
import { SqlButton } from './dialog.jsx'
import { LineText, Place } from './lines.jsx'
import { Rows } from './rows.jsx'

export function Rejects() {
    const fetched = useFetched('rejects', (signal) => data.rejects(signal), { revision: commit.value })
    const { reason } = state.value
    const rows = fetched.answer?.rows ?? []
    const largest = Math.max(...rows.map((row) => row.lines), 1)
    return (
        <Detail
            title="Rejected lines"
            small="of all logs and times; no number has them"
            fetched={fetched}
            empty="Every line was understood."
            actions={<SqlButton title="Rejects" sql={fetched.answer?.sql} />}
        >
            {rows.length ? (
                <Rows
                    title="Rejected lines by reason"
                    kind="board"
                    columns={COLUMNS}
                    rows={rows}
                    keyOf={(row) => row.reason}
                    share={(row) => `${(row.lines / largest) * 100}%`}
                />
            ) : null}
            {reason ? <Samples key={reason} reason={reason} /> : rows.length ? <p class="hint">Choose a reason to see samples.</p> : null}
        </Detail>
    )
}

const COLUMNS = [
    { head: 'Reason', cell: (row) => <Reason reason={row.reason} /> },
    { head: 'Lines', number: true, cell: (row) => exact(row.lines) },
    { head: 'Logs', number: true, cell: (row) => exact(row.sources) },
]

function Reason({ reason }) {
    const chosen = reason === state.value.reason
    return (
        <button type="button" class="value" data-row aria-pressed={chosen} onClick={() => go({ reason: chosen ? '' : reason })}>
            {visible(reason)}
        </button>
    )
}

function Samples({ reason }) {
    const { answer, error } = useFetched(`samples ${reason}`, (signal) => data.samples(reason, signal))
    return (
        <>
            <h3>Samples of “{visible(reason)}”</h3>
            <Failure error={error} />
            {answer && !answer.rows.length ? <p class="empty">No sample is kept.</p> : null}
            <table class="lines">
                <caption class="hidden">Samples</caption>
                <tbody>
                    {(answer?.rows ?? []).map((row) => (
                        <tr>
                            <th scope="row" class="where">
                                <Place path={row.path} position={row.position} />
                            </th>
                            <td>
                                <LineText row={row} />
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </>
    )
}
