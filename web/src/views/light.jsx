// The freshness of the data: a light, the age of the newest data, a pause button, and the problems if there are any.

import { age as readableAge, bytes, exact } from '../lib/format.js'
import { sentence, shorten, visible } from '../lib/text.js'
import { go } from '../state/location.js'
import { age, fetchStatus, light, paused, status, togglePause } from '../state/live.js'
import { DropDown, Icon } from './controls.jsx'
import { Rows } from './rows.jsx'

const WORDS = { good: 'Live', warn: 'Behind', bad: 'Trouble' }

export function Light() {
    const { state, reasons } = light.value
    const word = paused.value ? 'Paused' : (WORDS[state] ?? state)
    const title = reasons.length ? reasons.map(visible).join('; ') : 'State of the data'
    return (
        <div class="live">
            <DropDown
                className="right"
                kind="quiet text"
                title={title}
                label={
                    <>
                        <i class={`light ${paused.value ? 'paused' : state}`} />
                        <span class="state">{word}</span>{' '}
                        <span class="age" title="age of the newest data">
                            {readableAge(age.value)}
                        </span>
                    </>
                }
            >
                {(close) => <StatusPanel close={close} />}
            </DropDown>
            <button
                type="button"
                class="quiet"
                aria-pressed={paused.value}
                title={paused.value ? 'Resume (Space)' : 'Pause (Space)'}
                aria-label="Pause live updates"
                onClick={togglePause}
            >
                <Icon name={paused.value ? 'play' : 'pause'} />
            </button>
        </div>
    )
}

function StatusPanel({ close }) {
    fetchStatus(2000)
    const { state, reasons } = light.value
    const { tails = [], sources = [], commit } = status.value ?? {}
    const rejects = sources.reduce((sum, source) => sum + (source.rejects ?? 0), 0)
    return (
        <div class="status" tabindex="-1">
            <h2>
                <i class={`light ${state}`} />
                {state === 'good' ? 'All is well' : state === 'warn' ? 'Something needs a look' : 'Something is wrong'}
            </h2>
            {reasons.length ? (
                <ul>
                    {reasons.map((reason) => (
                        <li>{sentence(reason)}</li>
                    ))}
                </ul>
            ) : null}
            <p class="hint">
                The newest data are {readableAge(age.value)} old{commit ? ` (commit ${exact(commit)})` : ''}.
            </p>
            {tails.length ? <Rows title="Tails" titled columns={TAILS} rows={tails} /> : <p>No tail is running.</p>}
            {sources.length ? <Rows title="Logs" titled columns={LOGS} rows={worst(sources)} /> : null}
            {sources.length > SHOWN ? <p class="hint">{exact(sources.length - SHOWN)} more logs.</p> : null}
            <button
                type="button"
                class="button"
                onClick={() => {
                    go({ view: 'rejects', open: '', search: '' })
                    close()
                }}
            >
                {rejects ? `${exact(rejects)} rejected line${rejects === 1 ? '' : 's'}` : 'Rejected lines'}
            </button>
        </div>
    )
}

const TAILS = [
    { head: 'Name', cell: (tail) => visible(tail.name) || '–', optional: (tail) => tail.name },
    { head: 'State', cell: (tail) => tail.state },
    { head: 'Unread', number: true, cell: (tail) => bytes(tail.lag_bytes) },
    { head: 'Behind', number: true, cell: (tail) => readableAge(tail.lag_seconds) },
]
const LOGS = [
    { head: 'Log', cell: (source) => shorten(visible(source.path), 40), tip: (source) => visible(source.path) },
    { head: 'Unread', number: true, cell: (source) => bytes(source.lag) },
    { head: 'Rejects', number: true, cell: (source) => exact(source.rejects) },
    { head: 'Problem', cell: (source) => visible(source.problem), optional: (source) => source.problem },
]
const SHOWN = 12
const worst = (sources) =>
    [...sources]
        .sort((a, b) => Boolean(b.problem) - Boolean(a.problem) || (b.lag ?? 0) - (a.lag ?? 0) || (b.rejects ?? 0) - (a.rejects ?? 0))
        .slice(0, SHOWN)
