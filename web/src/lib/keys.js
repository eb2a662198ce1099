// The table of keys, and the choice of an action for a key event.

import { PRESETS } from './window.js'

const ENTRIES = [
    // key, action, text, group, argument
    ['?', 'help', 'this help'],
    ['/', 'search', 'search in a panel'],
    ...PRESETS.map(({ key, title, since }) => [key, 'preset', title, 'Window', since]),
    ['f', 'custom', 'from and to', 'Window'],
    ['ArrowLeft', 'shift', 'window before', 'Window', -1],
    ['ArrowRight', 'shift', 'window after', 'Window', 1],
    ['+', 'zoom', 'middle half of the window', 'Window', 1],
    ['-', 'zoom', 'wider window', 'Window', -1],
    ['c', 'compare', 'next comparison'],
    ['b', 'bots', 'all, people, robots'],
    ['s', 'split', 'split by kind or status class'],
    ['u', 'zone', 'UTC or local time'],
    [' ', 'pause', 'pause or resume live updates'],
    ['y', 'copy', 'copy the link'],
    ['g', 'requests', 'requests, or back'],
    ['j', 'row', 'next row', 'Rows', 1],
    ['k', 'row', 'row before', 'Rows', -1],
    ['Enter', '', 'filter by the value', 'Rows'],
    ['x', '', 'exclude the value', 'Rows'],
    ['v', '', 'requests of the value', 'Rows'],
    ['Escape', 'escape', 'close; then clear the filters'],
]
// Keys without an action here are handled by the focused row.
export const KEYS = ENTRIES.map(([key, action, text, group = 'Page', arg]) => ({ key, action, text, group, arg }))

// The entry for an event, or null. Keys typed into a field, and keys of the browser or a control, are ignored.
export function match(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null
    const tag = event.target?.tagName ?? ''
    const typing = tag === 'INPUT' || tag === 'TEXTAREA' || tag === 'SELECT' || event.target?.isContentEditable
    if (typing && event.key !== 'Escape') return null
    if (event.key === ' ' && ['BUTTON', 'SUMMARY', 'A'].includes(tag)) return null
    return KEYS.find(({ key, action }) => action && key === event.key) ?? null
}

export function keyName(key) {
    return { ' ': 'Space', ArrowLeft: '←', ArrowRight: '→', Escape: 'Esc' }[key] ?? key
}

export function next(list, current) {
    return list[(list.indexOf(current) + 1) % list.length]
}
