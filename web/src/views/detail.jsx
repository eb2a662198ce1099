// The frame of a view that fetches its own data: its head, errors, the limits of the answer, and the rows.

import { useEffect, useRef } from 'preact/hooks'
import { sentence } from '../lib/text.js'
import { page } from '../state/store.js'
import { Notes } from './notes.jsx'

// The view may be opened from far down the page, so it scrolls into sight.
function useInView(place) {
    useEffect(() => {
        const { top } = place.current.getBoundingClientRect()
        if (top < 60 || top > innerHeight - 200) place.current.scrollIntoView({ block: 'start' })
    }, [])
}

// `fetched` is the result of useFetched; `empty` is the text for an answer without rows.
export function Detail({ title, small, lead, actions, fetched: { answer, error, stale }, empty, children }) {
    const place = useRef(null)
    useInView(place)
    return (
        <section
            ref={place}
            class={stale && answer ? 'card expanded stale' : 'card expanded'}
            aria-labelledby="detail-title"
            aria-busy={stale}
        >
            <header class="card-head">
                {lead}
                <h2 id="detail-title">
                    {title} <small>{small}</small>
                </h2>
                <span class="grow" />
                {actions}
            </header>
            <Failure error={error} />
            {answer ? (
                <>
                    <Notes answer={answer} since={page.value?.since} />
                    {answer.unavailable || answer.rows.length ? null : <p class="empty">{empty}</p>}
                    {answer.unavailable ? null : children}
                </>
            ) : error ? null : (
                <div class="skeleton tall" aria-hidden="true" />
            )}
        </section>
    )
}

export function Failure({ error }) {
    return error ? (
        <p class="note unavailable" role="alert">
            {sentence(error.message)} {sentence(error.hint ?? '')}
        </p>
    ) : null
}

// A table that scrolls separately from the page, also by the keyboard.
export function Scroll({ label, children }) {
    return (
        <div class="scroll" tabindex="0" role="region" aria-label={`${label}, table`}>
            {children}
        </div>
    )
}
