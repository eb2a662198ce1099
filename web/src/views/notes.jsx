// The limits of an answer: the reason why it is missing, or since when it is complete.

import { dateTime } from '../lib/format.js'
import { sentence } from '../lib/text.js'
import { zone } from '../state/store.js'

export function Notes({ answer, since }) {
    if (answer.unavailable) return <p class="note unavailable">{sentence(answer.unavailable)}</p>
    const from = answer.complete_from && Date.parse(answer.complete_from)
    const late = from && from > Date.parse(since)
    if (!late && !answer.note) return null
    return (
        <>
            {late ? <p class="note">From {dateTime(from, zone.value)} on: requests begin there.</p> : null}
            {answer.note ? <p class="hint">{sentence(answer.note)}</p> : null}
        </>
    )
}
