// How fresh the data are: a light, the age of the newest data, pause, and what is wrong if something is.

import { age as readableAge, bytes, exact } from '../lib/format.js'
import { visible, shorten } from '../lib/text.js'
import { go } from '../state/location.js'
import { age, fetchStatus, light, paused, status, togglePause } from '../state/live.js'
import { DropDown, Icon } from './controls.jsx'

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
                        <li>{visible(reason)}</li>
                    ))}
                </ul>
            ) : null}
            <p class="hint">
                The newest data are {readableAge(age.value)} old{commit ? ` (commit ${exact(commit)})` : ''}.
            </p>
            {tails.length ? (
                <table>
                    <caption>Tails</caption>
                    <thead>
                        <tr>
                            <th scope="col">Name</th>
                            <th scope="col">State</th>
                            <th scope="col" class="number">
                                Unread
                            </th>
                            <th scope="col" class="number">
                                Behind
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {tails.map((tail) => (
                            <tr>
                                <th scope="row">{visible(tail.name)}</th>
                                <td>{tail.state}</td>
                                <td class="number">{bytes(tail.lag_bytes)}</td>
                                <td class="number">{readableAge(tail.lag_seconds)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            ) : (
                <p>No tail is running.</p>
            )}
            {sources.length ? (
                <table>
                    <caption>Logs</caption>
                    <thead>
                        <tr>
                            <th scope="col">Log</th>
                            <th scope="col" class="number">
                                Unread
                            </th>
                            <th scope="col" class="number">
                                Rejects
                            </th>
                            <th scope="col">Problem</th>
                        </tr>
                    </thead>
                    <tbody>
                        {worst(sources).map((source) => (
                            <tr>
                                <th scope="row" title={visible(source.path)}>
                                    {shorten(visible(source.path), 40)}
                                </th>
                                <td class="number">{bytes(source.lag)}</td>
                                <td class="number">{exact(source.rejects)}</td>
                                <td>{visible(source.problem || '')}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            ) : null}
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

const SHOWN = 12
const worst = (sources) =>
    [...sources]
        .sort((a, b) => Boolean(b.problem) - Boolean(a.problem) || (b.lag ?? 0) - (a.lag ?? 0) || (b.rejects ?? 0) - (a.rejects ?? 0))
        .slice(0, SHOWN)
