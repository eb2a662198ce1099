// The state of the page as a query string: parse it, write it, change it.
// The names are those of the HTTP API; docs/web.md lists them. Nothing here touches the browser.

export const DIMENSIONS = [
    'site',
    'kind',
    'method',
    'status',
    'status_class',
    'path',
    'ext',
    'referrer',
    'from_path',
    'channel',
    'referrer_source',
    'medium',
    'campaign',
    'ad',
    'placement',
    'browser',
    'os',
    'device',
    'country',
    'network',
    'cache',
    'scheme',
    'protocol',
    'tls',
    'user',
]

export const DEFAULTS = Object.freeze({
    since: '24h',
    until: '',
    compare: 'none',
    bots: 'include',
    tz: 'UTC',
    model: 'last_non_direct',
    split: 'kind',
    view: 'overview',
    open: '',
    search: '',
    offset: 0,
    reason: '',
})

const CHOICES = {
    compare: ['none', 'previous', 'week', 'year'],
    bots: ['include', 'exclude', 'only'],
    model: ['last_non_direct', 'last', 'first', 'linear', 'position', 'time_decay'],
    split: ['kind', 'status_class'],
    view: ['overview', 'requests', 'lines', 'rejects', 'cluster'],
}

// A link may contain any text: an invalid value becomes the default.
export function parse(query) {
    const given = new URLSearchParams(query)
    const state = { ...DEFAULTS, is: [], not: [], sort: {}, order: {}, hide: [], columns: [] }
    for (const name of Object.keys(DEFAULTS)) {
        const value = given.get(name)
        if (value === null) continue
        if (name === 'offset') state.offset = Math.max(0, Math.floor(Number(value)) || 0)
        else if (!CHOICES[name] || CHOICES[name].includes(value)) state[name] = value
    }
    if (!state.since) state.since = DEFAULTS.since
    if (state.until === 'now') state.until = ''
    if (!isZone(state.tz)) state.tz = DEFAULTS.tz
    for (const kind of ['is', 'not']) {
        for (const text of given.getAll(kind)) {
            const colon = text.indexOf(':')
            const filter = { dim: text.slice(0, colon), value: text.slice(colon + 1) }
            if (DIMENSIONS.includes(filter.dim) && !has(state[kind], filter)) state[kind].push(filter)
        }
    }
    for (const [name, value] of given) {
        const [prefix, panel] = [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)]
        if (prefix === 'sort' && panel) state.sort[panel] = value
        if (prefix === 'order' && panel && (value === 'asc' || value === 'desc')) state.order[panel] = value
    }
    for (const name of ['hide', 'columns']) state[name] = (given.get(name) ?? '').split(',').filter(Boolean)
    return state
}

// The query string of a state, without default values, always in the same order.
export function write(state) {
    const query = dataQuery(state)
    for (const name of ['split', 'view', 'open', 'search', 'offset', 'reason']) {
        if (state[name] !== DEFAULTS[name]) query.append(name, state[name])
    }
    for (const name of ['sort', 'order']) {
        for (const panel of Object.keys(state[name]).sort()) query.append(`${name}.${panel}`, state[name][panel])
    }
    for (const name of ['hide', 'columns']) if (state[name].length) query.append(name, state[name].join(','))
    // Colons, slashes and commas need no escape in a query, and without escapes it is readable.
    return query.toString().replace(/%3A/g, ':').replace(/%2F/g, '/').replace(/%2C/g, ',')
}

// The part of the state on which every answer with data depends.
export function dataQuery(state) {
    const query = new URLSearchParams()
    for (const name of ['since', 'until', 'compare', 'bots', 'model', 'tz']) {
        if (state[name] !== DEFAULTS[name]) query.append(name, state[name])
    }
    for (const kind of ['is', 'not']) for (const { dim, value } of state[kind]) query.append(kind, `${dim}:${value}`)
    return query
}

// Links that were kept may have a name that a panel no longer has: what changes in a state, if the lake has no such panel.
const RENAMED = { entries: 'pages_by_referrer' }
export function renamed(state, panels) {
    const changes = {}
    for (const [old, name] of Object.entries(RENAMED)) {
        if (panels.includes(old)) continue
        if (state.open === old) changes.open = name
        for (const kind of ['sort', 'order']) {
            const { [old]: value, ...rest } = state[kind]
            if (value) changes[kind] = { ...rest, [name]: value }
        }
    }
    return changes
}

export function isZone(name) {
    try {
        new Intl.DateTimeFormat('en', { timeZone: name })
        return true
    } catch {
        return false
    }
}

const same = (a, b) => a.dim === b.dim && a.value === b.value
const has = (list, filter) => list.some((other) => same(other, filter))

// A plain click: filter by this value of its dimension alone; if that is the filter already, remove it.
export function pick(state, filter) {
    const others = state.is.filter((other) => other.dim !== filter.dim)
    const mine = state.is.filter((other) => other.dim === filter.dim)
    const off = mine.length === 1 && same(mine[0], filter)
    return { is: off ? others : [...others, filter], not: without(state.not, filter) }
}

// A click with Ctrl or Shift: add a value of its dimension, or remove it.
export function pickAlso(state, filter) {
    const is = has(state.is, filter) ? without(state.is, filter) : [...state.is, filter]
    return { is, not: without(state.not, filter) }
}

export function exclude(state, filter) {
    return { is: without(state.is, filter), not: has(state.not, filter) ? state.not : [...state.not, filter] }
}

export function remove(state, kind, filter) {
    return { [kind]: without(state[kind], filter) }
}

// "is" becomes "is not", and the reverse.
export function flip(state, kind, filter) {
    const other = kind === 'is' ? 'not' : 'is'
    return { [kind]: without(state[kind], filter), [other]: [...without(state[other], filter), filter] }
}

function without(list, filter) {
    return list.filter((other) => !same(other, filter))
}
