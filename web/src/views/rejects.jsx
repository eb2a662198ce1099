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

export function Rejects() {
    const fetched = useFetched('rejects', (signal) => data.rejects(signal), { revision: commit.value })
    const { reason } = state.value
    const rows = fetched.answer?.rows ?? []
    const largest = Math.max(...rows.map((row) => row.lines), 1)
    return (
        <Detail
            title="Rejected lines"
            small="of all logs, in no count"
            fetched={fetched}
            empty="Every line was understood."
            actions={<SqlButton title="Rejects" sql={fetched.answer?.sql} />}
        >
            {rows.length ? (
                <table class="board">
                    <caption class="hidden">Rejected lines by reason</caption>
                    <thead>
                        <tr>
                            <th scope="col">Reason</th>
                            <th scope="col" class="number">
                                Lines
                            </th>
                            <th scope="col" class="number">
                                Logs
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows.map((row) => (
                            <tr key={row.reason} style={{ '--share': `${(row.lines / largest) * 100}%` }}>
                                <th scope="row">
                                    <button
                                        type="button"
                                        class="value"
                                        data-row
                                        aria-pressed={row.reason === reason}
                                        onClick={() => go({ reason: row.reason === reason ? '' : row.reason })}
                                    >
                                        {visible(row.reason)}
                                    </button>
                                </th>
                                <td class="number">{exact(row.lines)}</td>
                                <td class="number">{exact(row.sources)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            ) : null}
            {reason ? <Samples key={reason} reason={reason} /> : rows.length ? <p class="hint">Choose a reason to see samples.</p> : null}
        </Detail>
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
