// Buttons for the next and the previous page.

import { exact } from '../lib/format.js'
import { go, state } from '../state/location.js'
import { Icon } from './controls.jsx'

export function Paging({ size, answer }) {
    const { offset } = state.value
    const count = answer?.rows.length
    if (!offset && !answer?.more) return null
    const to = (place) => go({ offset: Math.max(0, place) })
    return (
        <nav class="paging" aria-label="Pages">
            <button type="button" class="button" disabled={!offset} onClick={() => to(offset - size)}>
                <Icon name="left" />
                Back
            </button>
            <span>{count ? `${exact(offset + 1)} – ${exact(offset + count)}` : 'no rows'}</span>
            <button type="button" class="button" disabled={!answer?.more} onClick={() => to(offset + size)}>
                Next
                <Icon name="right" />
            </button>
        </nav>
    )
}
