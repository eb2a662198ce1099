// Data that a view fetches itself: again when the question or the commit changes; meanwhile the old rows stay.

import { useEffect, useRef, useState } from 'preact/hooks'

// `ask(signal)` returns the promise of an answer; `key` is the question as a text.
// `stale`: the answer is to an earlier question.
export function useFetched(key, ask, { revision = 0 } = {}) {
    const [got, setGot] = useState({ key: null, answer: null, error: null })
    const running = useRef(null)
    useEffect(() => {
        // A new commit does not interrupt an answer to the same question.
        if (running.current?.key === key) return
        running.current?.abort.abort()
        const mine = { key, abort: new AbortController() }
        running.current = mine
        const ended = (next) => {
            if (running.current !== mine) return
            running.current = null
            setGot(next)
        }
        ask(mine.abort.signal).then(
            (answer) => ended({ key, answer, error: null }),
            (error) => ended((old) => ({ key, answer: old.key === key ? old.answer : null, error })),
        )
    }, [key, revision])
    useEffect(
        () => () => {
            running.current?.abort.abort()
            running.current = null
        },
        [],
    )
    return { ...got, stale: got.key !== key }
}
