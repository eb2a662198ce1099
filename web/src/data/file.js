// Data from the document itself: `logagg report --html FILE` puts the answers into one of its elements.
// Panels are sorted, searched and paged here; windows, filters and requests need a server.

import { select, withChange } from '../lib/rows.js'

export function fileData(element) {
    const { lake, page, status } = JSON.parse(element.textContent)
    const made = Date.parse(lake.committed_at ?? page.until)

    function panel(name, state, { sort, order, search, limit = 10, offset = 0 } = {}) {
        const whole = page.panels[name]
        const measures = whole.measures
        const chosen = sort === 'change' || measures.includes(sort) ? sort : whole.sort
        const by = chosen === 'change' ? whole.sort : chosen
        const rows = page.before ? withChange(whole.rows, by) : whole.rows
        const found = select(rows, whole.dimensions, { sort: chosen, order: order || 'desc', search, limit, offset })
        const cut = whole.more && !found.more ? 'The file holds the first rows only.' : ''
        return { ...whole, ...found, sort: chosen, order: order || 'desc', note: whole.note || (offset ? cut : '') }
    }

    const none = () => Promise.reject(new Error('a file cannot do this: open the lake with logagg serve'))
    return {
        live: false,
        clock: () => made,
        lake: async () => lake,
        status: async () => status,
        page: async (state, { panels: names = [], limit }) => ({
            ...page,
            panels: Object.fromEntries(
                names
                    .filter((name) => page.panels[name])
                    .map((name) => [name, panel(name, state, { sort: state.sort[name], order: state.order[name], limit })]),
            ),
        }),
        panel: async (name, state, options) => panel(name, state, options),
        requests: none,
        lines: none,
        rejects: none,
        samples: none,
        cluster: none,
        download: () => '',
        events: () => null,
        has: (name) => name in page.panels,
        window: { since: page.since, until: page.until },
    }
}
