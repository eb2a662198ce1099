// Sorting, searching and paging of rows in the browser, for a page in one file without a server.

export function select(rows, dimensions, { sort, order, search, limit, offset }) {
    const wanted = (search ?? '').toLowerCase()
    const found = wanted
        ? rows.filter((row) =>
              dimensions.some((name) =>
                  String(row[name] ?? '')
                      .toLowerCase()
                      .includes(wanted),
              ),
          )
        : rows
    const sign = order === 'asc' ? 1 : -1
    const sorted = [...found].sort((a, b) => compare(a[sort], b[sort], sign) || compareKeys(a, b, dimensions))
    return { rows: sorted.slice(offset, offset + limit), more: sorted.length > offset + limit, count: found.length }
}

// Rows without a number come last, in either order.
function compare(a, b, sign) {
    const none = (value) => value === null || value === undefined
    if (none(a) || none(b)) return none(a) - none(b)
    return a === b ? 0 : sign * (a < b ? -1 : 1)
}

function compareKeys(a, b, dimensions) {
    for (const name of dimensions) {
        const order = compare(a[name], b[name], 1)
        if (order) return order
    }
    return 0
}

// The change of each row in the measure it is now sorted by, which may differ from the one in the file.
export function withChange(rows, measure) {
    return rows.map((row) => {
        const before = row.before?.[measure]
        return { ...row, change: before && row[measure] !== null ? row[measure] / before - 1 : null }
    })
}
