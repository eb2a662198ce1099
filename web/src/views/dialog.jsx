// The one dialog of the page: SQL, help, a tile's meaning, the lines of a request.

import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { visible } from '../lib/text.js'
import { Icon } from './controls.jsx'

export const dialog = signal(null) // {title, body: () => html, wide}

export const close = () => {
    dialog.value = null
}

export function Dialog() {
    const place = useRef(null)
    const shown = dialog.value
    useEffect(() => {
        if (shown && !place.current.open) place.current.showModal()
        if (!shown && place.current.open) place.current.close()
    }, [shown])
    const outside = (event) => event.target === place.current && close()
    return (
        <dialog ref={place} class={shown?.wide ? 'wide' : ''} aria-labelledby="dialog-title" onClose={close} onClick={outside}>
            {shown ? (
                <div class="dialog">
                    <header class="card-head">
                        <h2 id="dialog-title">{shown.title}</h2>
                        <button type="button" class="quiet" onClick={close} aria-label="Close">
                            <Icon name="close" />
                        </button>
                    </header>
                    {shown.body()}
                </div>
            ) : null}
        </dialog>
    )
}

export function CopyButton({ text, label = 'Copy' }) {
    const [said, setSaid] = useState('')
    const copy = async () => {
        setSaid((await copyText(text)) ? 'Copied' : 'Select and copy it')
        setTimeout(() => setSaid(''), 2000)
    }
    return (
        <button type="button" class="button" onClick={copy}>
            <span aria-live="polite">{said || label}</span>
        </button>
    )
}

// The clipboard is only there for pages from this machine or by HTTPS; the older way works elsewhere.
export async function copyText(text) {
    try {
        await navigator.clipboard.writeText(text)
        return true
    } catch {
        const area = document.createElement('textarea')
        area.value = text
        const place = document.querySelector('dialog[open]') ?? document.body
        place.append(area)
        area.select()
        const done = document.execCommand('copy')
        area.remove()
        return done
    }
}

// `sql` is a text, or texts by name.
export function showSql(title, sql) {
    const parts = typeof sql === 'string' ? [['', sql]] : Object.entries(sql ?? {})
    dialog.value = {
        title: `${title}: SQL`,
        wide: true,
        body: () => (
            <>
                <p class="hint">
                    It runs as it stands in <code>logagg sql</code>, with the same answer.
                </p>
                {parts.map(([name, text]) => (
                    <Code key={name} name={name} text={text} />
                ))}
            </>
        ),
    }
}

export function Code({ name, text }) {
    return (
        <figure class="code">
            {name ? <figcaption>{name}</figcaption> : null}
            <pre tabindex="0">{text.split('\n').map(visible).join('\n')}</pre>
            <CopyButton text={text} />
        </figure>
    )
}

export function SqlButton({ title, sql }) {
    return sql ? (
        <button type="button" class="quiet" title="SQL" aria-label={`SQL of ${title}`} onClick={() => showSql(title, sql)}>
            <Icon name="code" />
        </button>
    ) : null
}
