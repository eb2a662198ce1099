// Small controls that several views use: segmented choice, drop-down menu, icon.

import { useEffect, useRef, useState } from 'preact/hooks'

// The formats in which answers can be downloaded.
export const FORMATS = [
    ['csv', 'CSV'],
    ['json', 'JSON'],
    ['parquet', 'Parquet'],
]

export function Segments({ label, value, choices, onChange }) {
    return (
        <div class="segments" role="group" aria-label={label}>
            {choices.map(([name, text, title]) => (
                <button type="button" key={name} aria-pressed={value === name} title={title} onClick={() => onChange(name)}>
                    {text}
                </button>
            ))}
        </div>
    )
}

export function Choice({ label, value, choices, onChange }) {
    return (
        <label class="choice">
            <span class="hidden">{label}</span>
            <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
                {choices.map(([name, text]) => (
                    <option key={name} value={name} selected={name === value}>
                        {text}
                    </option>
                ))}
            </select>
        </label>
    )
}

// A button whose content opens below it. Escape, a click elsewhere, and leaving it by Tab close the content.
export function DropDown({ label, name, title, className = '', kind, open: wanted, children }) {
    const [open, setOpen] = useState(false)
    const place = useRef(null)
    useEffect(() => {
        if (wanted) setOpen(true)
    }, [wanted])
    useEffect(() => {
        if (!open) return
        place.current.querySelector('.drop input, .drop a, .drop button, .drop [tabindex]')?.focus({ preventScroll: true })
        // A click on text within the content moves the focus to the element around it: that does not count as elsewhere.
        const outside = (event) => {
            const around = event.type === 'focusin' && event.target.contains(place.current)
            if (!around && !place.current.contains(event.target)) setOpen(false)
        }
        const escape = (event) => {
            if (event.key !== 'Escape') return
            event.stopPropagation()
            setOpen(false)
            place.current.querySelector('button').focus()
        }
        document.addEventListener('pointerdown', outside)
        document.addEventListener('focusin', outside)
        document.addEventListener('keydown', escape, true)
        return () => {
            document.removeEventListener('pointerdown', outside)
            document.removeEventListener('focusin', outside)
            document.removeEventListener('keydown', escape, true)
        }
    }, [open])
    return (
        <div class={'drop-down ' + className} ref={place}>
            <button type="button" class={kind} aria-expanded={open} title={title} aria-label={name} onClick={() => setOpen(!open)}>
                {label}
            </button>
            {open ? <div class="drop">{typeof children === 'function' ? children(() => setOpen(false)) : children}</div> : null}
        </div>
    )
}

const PATHS = {
    left: 'M10 3 5 8l5 5',
    right: 'm6 3 5 5-5 5',
    close: 'm4 4 8 8m0-8-8 8',
    more: 'M3 8h.01M8 8h.01M13 8h.01',
    expand: 'M9.5 2.5h4v4m0-4L9 7m-2.5 6.5h-4v-4m0 4L7 9',
    exclude: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM3.8 3.8l8.4 8.4',
    list: 'M2.5 4h11m-11 4h11m-11 4h7',
    pause: 'M5.5 3v10m5-10v10',
    play: 'm5 3 8 5-8 5Z',
    link: 'M6.5 9.5a3 3 0 0 0 4.2 0l2-2a3 3 0 0 0-4.2-4.2l-.7.7m1.7 2.5a3 3 0 0 0-4.2 0l-2 2a3 3 0 0 0 4.2 4.2l.7-.7',
    search: 'm13.5 13.5-3-3M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9Z',
    code: 'M5.5 4.5 2 8l3.5 3.5m5-7L14 8l-3.5 3.5',
    up: 'm4 10 4-4 4 4',
    down: 'm4 6 4 4 4-4',
}
export function Icon({ name }) {
    return (
        <svg
            class="icon"
            viewBox="0 0 16 16"
            width="14"
            height="14"
            aria-hidden="true"
            fill="none"
            stroke="currentColor"
            stroke-width="1.6"
            stroke-linecap="round"
            stroke-linejoin="round"
        >
            <path d={PATHS[name]} />
        </svg>
    )
}
