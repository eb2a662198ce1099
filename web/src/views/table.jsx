// The table of a panel: rows of dimensions and measures with a bar behind each, and heads that sort.

import { change as readableChange, exact, measure } from '../lib/format.js'
import { dimensionTitle } from '../lib/text.js'
import { titleOf, unitOf } from '../state/store.js'
import { Icon } from './controls.jsx'
import { Change } from './tiles.jsx'
import { RowActions, Value } from './value.jsx'

const WORSE = new Set(['errors', 'p50', 'p95', 'p99'])

// `measures` are the measures to show; a click on a head calls `onSort(name)`.
export function PanelTable({ answer, title, measures, compared, onSort, limit }) {
    const { rows, dimensions, sort, order } = answer
    const ranked = sort === 'change' ? measures[0] : sort
    const largest = Math.max(...rows.map((row) => Math.abs(row[ranked] ?? 0)), 0)
    const head = (name, text) => (
        <th scope="col" key={name} class="number" aria-sort={sort === name ? (order === 'asc' ? 'ascending' : 'descending') : undefined}>
            <button type="button" class="sort" onClick={() => onSort(name)} title={`sort by ${text.toLowerCase()}`}>
                {text}
                {sort === name ? <Icon name={order === 'asc' ? 'up' : 'down'} /> : null}
            </button>
        </th>
    )
    return (
        <table class={dimensions.length > 1 ? 'board several' : 'board'}>
            <caption class="hidden">{title}</caption>
            <thead>
                <tr>
                    {dimensions.map((name) => (
                        <th scope="col" key={name}>
                            {dimensionTitle(name)}
                        </th>
                    ))}
                    {measures.map((name) => head(name, titleOf(name)))}
                    {compared ? head('change', 'Change') : null}
                </tr>
            </thead>
            <tbody>
                {rows.map((row) => (
                    <tr key={JSON.stringify(dimensions.map((name) => row[name]))} style={{ '--share': bar(row[ranked], largest) }}>
                        {dimensions.map((name, index) => (
                            <Cell key={name} first={!index}>
                                <Value dim={name} value={row[name]} limit={limit} />
                            </Cell>
                        ))}
                        {measures.map((name) => (
                            <td key={name} class={name === ranked ? 'number main' : 'number'} title={tip(row, name)}>
                                {name === measures[0] ? <RowActions dimensions={dimensions} row={row} /> : null}
                                {measure(row[name], unitOf(name))}
                            </td>
                        ))}
                        {compared ? (
                            <td class="number">
                                <Change
                                    value={row.change}
                                    worse={WORSE.has(ranked)}
                                    title={row.before ? `before: ${measure(row.before[ranked], unitOf(ranked))}` : 'not there before'}
                                />
                            </td>
                        ) : null}
                    </tr>
                ))}
            </tbody>
        </table>
    )
}

function Cell({ first, children }) {
    const inner = <div class="cell">{children}</div>
    return first ? <th scope="row">{inner}</th> : <td>{inner}</td>
}

const bar = (value, largest) => (largest > 0 ? `${((Math.abs(value ?? 0) / largest) * 100).toFixed(1)}%` : '0%')

function tip(row, name) {
    const before = row.before?.[name]
    const parts = [unitOf(name) === 'count' || unitOf(name) === 'bytes' ? exact(row[name]) : measure(row[name], unitOf(name))]
    if (before !== undefined && before !== null) {
        parts.push(`before ${measure(before, unitOf(name))}`)
        if (before) parts.push(readableChange(row[name] / before - 1))
    }
    return parts.join(', ')
}
