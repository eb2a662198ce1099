// The page: its head, and the view that the address asks for.

import { data } from '../data/index.js'
import { TrafficChart } from '../charts/traffic.jsx'
import { LatencyChart } from '../charts/latency.jsx'
import { sentence } from '../lib/text.js'
import { state } from '../state/location.js'
import { error, retry } from '../state/loader.js'
import { announcement, lake, page, shown, stale } from '../state/store.js'
import { Cluster } from './cluster.jsx'
import { Dialog } from './dialog.jsx'
import { Expanded } from './expanded.jsx'
import { Header } from './header.jsx'
import { Lines } from './lines.jsx'
import { isNothing, Nothing } from './nothing.jsx'
import { Panel } from './panel.jsx'
import { Rejects } from './rejects.jsx'
import { Requests } from './requests.jsx'
import { Tiles } from './tiles.jsx'
import { showHelp } from './help.jsx'

const DETAIL = { requests: Requests, lines: Lines, rejects: Rejects }

export function App() {
    return (
        <>
            <a class="skip" href="#main">
                To the content
            </a>
            <Header />
            <main id="main" tabindex="-1">
                <Problem />
                {lake.value ? <Content /> : <div class="skeleton tall" aria-hidden="true" />}
            </main>
            <footer class="foot">
                <span>logagg {lake.value?.version ?? ''}</span>
                <button type="button" class="quiet text" onClick={showHelp}>
                    Keys and help <kbd>?</kbd>
                </button>
            </footer>
            <p class="hidden" role="status" aria-live="polite">
                {announcement.value}
            </p>
            <Dialog />
        </>
    )
}

function Content() {
    const { view, open } = state.value
    if (view === 'cluster') return <Cluster />
    const Detail = data.live ? DETAIL[view] : null
    const panel = !Detail && open ? shown.value.find(({ name }) => name === open) : null
    const nothing = page.value && !stale.value && view !== 'rejects' && isNothing(page.value)
    return (
        <>
            {page.value ? (
                <div class={stale.value ? 'numbers stale' : 'numbers'}>
                    <Tiles />
                    {nothing ? null : <TrafficChart />}
                    {nothing || Detail ? null : <LatencyChart />}
                </div>
            ) : error.value ? null : (
                <>
                    <div class="skeleton tiles-place" aria-hidden="true" />
                    <div class="skeleton chart-place" aria-hidden="true" />
                </>
            )}
            {nothing ? (
                <Nothing />
            ) : Detail ? (
                <Detail />
            ) : panel ? (
                <Expanded panel={panel} />
            ) : error.value && !page.value ? null : (
                <div class="panels">
                    {shown.value.map((one) => (
                        <Panel key={one.name} panel={one} />
                    ))}
                </div>
            )}
        </>
    )
}

function Problem() {
    const problem = error.value
    if (!problem) return null
    return (
        <div class="problem" role="alert">
            <p>
                <b>{sentence(problem.message)}</b> {sentence(problem.hint ?? '')}
            </p>
            <button type="button" class="button" onClick={retry}>
                Try again
            </button>
        </div>
    )
}
