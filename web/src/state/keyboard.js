// Performs the actions of the keys in lib/keys.js.

import { data } from '../data/index.js'
import { match, next } from '../lib/keys.js'
import { PRESETS, resolve } from '../lib/window.js'
import { BOTS, COMPARE, copyLink } from '../views/header.jsx'
import { dialog } from '../views/dialog.jsx'
import { showHelp } from '../views/help.jsx'
import { customWanted, move } from '../views/window.jsx'
import { filtered, go, narrow, state, toggleZone, widenWindow } from './location.js'
import { togglePause } from './live.js'
import { shown } from './store.js'

const ACTIONS = {
    help: showHelp,
    search,
    preset: (since) => {
        const { until } = PRESETS.find((one) => one.since === since)
        go({ since, until })
    },
    custom: () => {
        customWanted.value += 1
    },
    shift: move,
    zoom: (direction) => (direction < 0 ? widenWindow() : middle()),
    compare: () =>
        go({
            compare: next(
                COMPARE.map(([name]) => name),
                state.value.compare,
            ),
        }),
    bots: () =>
        go({
            bots: next(
                BOTS.map(([name]) => name),
                state.value.bots,
            ),
        }),
    split: () => go({ split: state.value.split === 'kind' ? 'status_class' : 'kind', hide: [] }),
    zone: toggleZone,
    pause: togglePause,
    copy: copyLink,
    requests: () => go({ view: state.value.view === 'requests' ? 'overview' : 'requests', open: '', search: '' }),
    row: moveRow,
    escape,
}
const IN_FILE = ['help', 'search', 'row', 'escape', 'zone']

export function startKeys() {
    document.addEventListener('keydown', (event) => {
        const entry = match(event)
        if (!entry || event.defaultPrevented || (!data.live && !IN_FILE.includes(entry.action))) return
        // A dialog handles all keys itself, and closes on Escape.
        if (dialog.value) return
        if (ACTIONS[entry.action](entry.arg) !== false) event.preventDefault()
    })
}

function middle() {
    const window = resolve(state.value, data.clock())
    if (!window || window.until - window.since < 240_000) return
    const quarter = (window.until - window.since) / 4
    narrow(window.since + quarter, window.until - quarter)
}

// The search of the open panel, else of the panel that has the focus, else of the first one.
function search() {
    if (!state.value.open) {
        const near = document.activeElement?.closest('.panel')?.querySelector('h2')?.id.replace('panel-', '')
        const name = near ?? shown.value[0]?.name
        if (!name) return
        go({ open: name, view: 'overview', search: '' })
    }
    requestAnimationFrame(() =>
        requestAnimationFrame(() => {
            const field = document.getElementById('search')
            field?.scrollIntoView({ block: 'center' })
            field?.focus()
        }),
    )
}

// Rows of all panels in the order of the document; in a panel of several dimensions, Tab goes to the next value.
function moveRow(direction) {
    const rows = [
        ...document.querySelectorAll(
            'main th [data-row], main .rows tbody td:first-child [data-row], main .rows tr > td:nth-child(2) [data-row]',
        ),
    ]
    if (!rows.length) return
    const at = rows.indexOf(document.activeElement?.closest('tr')?.querySelector('[data-row]'))
    const target =
        rows[at < 0 ? (direction > 0 ? firstVisible(rows) : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + direction))]
    target.focus({ preventScroll: true })
    target.scrollIntoView({ block: 'nearest' })
}

function firstVisible(rows) {
    return Math.max(
        0,
        rows.findIndex((row) => row.getBoundingClientRect().top >= 0),
    )
}

function escape() {
    const { open, view, reason, search } = state.value
    if (document.activeElement?.tagName === 'INPUT') document.activeElement.blur()
    if (search) go({ search: '' })
    else if (open) go({ open: '' })
    else if (reason) go({ reason: '' })
    else if (view !== 'overview') go({ view: 'overview' })
    else if (filtered.value) go({ is: [], not: [] })
    else return false
    return true
}
