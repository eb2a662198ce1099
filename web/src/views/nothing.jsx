// The text instead of charts and panels if the window has no requests: the reason, and what to do.

import { dateTime } from '../lib/format.js'
import { DAY, isoMinute } from '../lib/window.js'
import { data } from '../data/index.js'
import { filtered, go } from '../state/location.js'
import { lake, page, zone } from '../state/store.js'

export const isNothing = ({ totals }) => totals.now?.hits === 0 && !totals.before?.hits

export function Nothing() {
    const { oldest, newest } = lake.value
    const from = Date.parse(oldest)
    const to = Date.parse(newest)
    if (!newest) return <Card>No line has been counted yet: the page shows the first ones by itself.</Card>
    const within = to > Date.parse(page.value.since) && from < Date.parse(page.value.until)
    return (
        <Card>
            {filtered.value ? 'No request of this window has all of these values.' : 'No requests in this window.'}
            {within ? null : ` The lake has them from ${dateTime(from, zone.value, true)} to ${dateTime(to, zone.value, true)}.`}
            {data.live && filtered.value ? (
                <button type="button" class="button" onClick={() => go({ is: [], not: [] })}>
                    Clear the filters
                </button>
            ) : null}
            {data.live && !within ? (
                <button type="button" class="button strong" onClick={() => go({ since: isoMinute(to - DAY), until: isoMinute(to) })}>
                    Show its last 24 hours
                </button>
            ) : null}
        </Card>
    )
}

const Card = ({ children }) => <section class="card nothing">{children}</section>
