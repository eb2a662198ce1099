// Colours of groups, from the style sheet, so that charts follow the light or dark theme.

import { signal } from '@preact/signals'

const ORDER = ['pageview', 'impression', 'click', 'conversion', 'asset', 'other', '2xx', '3xx', '4xx', '5xx', '1xx']

// Counts the changes of the theme: charts are drawn again then, since a canvas does not follow a style sheet.
export const theme = signal(0)
for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
    matchMedia(query).addEventListener('change', () => {
        theme.value += 1
    })
}

export function color(name) {
    return (
        getComputedStyle(document.documentElement)
            .getPropertyValue('--' + name)
            .trim() || '#888'
    )
}

export const groupColor = (name) => color(ORDER.includes(name) ? 'group-' + name : 'group-other')

// Known groups in a fixed order, so that a colour keeps its place in the stack; others follow by name.
export function groupOrder(names) {
    const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length)
    return [...names].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1))
}
