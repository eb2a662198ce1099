// One leaderboard: the first rows of a panel, its menu, and the state of its answer.

import { useEffect, useRef } from 'preact/hooks'
import { data } from '../data/index.js'
import { go, state } from '../state/location.js'
import { error } from '../state/loader.js'
import { dimensionTitle } from '../lib/text.js'
import { lake, MEASURES, page, panelQuestion, panels, places, sortPanel } from '../state/store.js'
import { Choice, DropDown, FORMATS, Icon } from './controls.jsx'
import { showSql } from './dialog.jsx'
import { Notes } from './notes.jsx'
import { PanelTable } from './table.jsx'

// Tells the store which panels are near the screen, shortly before they are on it.
const names = new Map()
const watch = new IntersectionObserver(
    (entries) => {
        const next = new Map(places.value)
        for (const { target, isIntersecting } of entries) {
            if (!names.has(target)) continue
            if (isIntersecting || !data.live) next.set(names.get(target), target)
            else next.delete(names.get(target))
        }
        places.value = next
    },
    { rootMargin: '600px 0px' },
)

function without(map, name) {
    const next = new Map(map)
    next.delete(name)
    return next
}

export function Panel({ panel }) {
    const place = useRef(null)
    useEffect(() => {
        const element = place.current
        names.set(element, panel.name)
        watch.observe(element)
        return () => {
            watch.unobserve(element)
            names.delete(element)
            places.value = without(places.value, panel.name)
        }
    }, [])
    const got = panels.value[panel.name]
    const answer = got?.answer
    const stale = got && got.question !== panelQuestion(panel.name)
    const id = `panel-${panel.name}`
    return (
        <section class={stale ? 'card panel stale' : 'card panel'} ref={place} aria-labelledby={id} aria-busy={!got || stale}>
            <header class="card-head">
                <h2 id={id}>
                    <button type="button" onClick={() => expand(panel.name)} title="all rows">
                        {panel.title}
                    </button>
                </h2>
                {answer?.from === 'requests' && !answer.unavailable ? (
                    <span class="from" title="counted from the requests that are kept">
                        from requests
                    </span>
                ) : null}
                <span class="grow" />
                <ModelChoice panel={panel} />
                <PanelMenu panel={panel} answer={answer} />
                <button
                    type="button"
                    class="quiet"
                    data-expand
                    title="all rows, search"
                    aria-label={`All rows of ${panel.title}`}
                    onClick={() => expand(panel.name)}
                >
                    <Icon name="expand" />
                </button>
            </header>
            {answer ? <PanelBody panel={panel} answer={answer} compared={got.compared} /> : error.value ? null : <div class="skeleton" aria-hidden="true" />}
        </section>
    )
}

// By which touches share a conversion, where a panel is about that; a file has the numbers of one model.
export function ModelChoice({ panel }) {
    if (!panel.models?.length || !data.live) return null
    const choices = panel.models.map((name) => [name, dimensionTitle(name)])
    return <Choice label={`Model of ${panel.title}`} value={state.value.model} choices={choices} onChange={(model) => go({ model })} />
}

const expand = (name) => go({ open: name, search: '' })

function PanelBody({ panel, answer, compared }) {
    return (
        <>
            <Notes answer={answer.rows.length ? answer : { ...answer, note: '' }} since={page.value?.since} />
            {answer.unavailable ? null : answer.rows.length ? (
                <div class="board-scroll">
                    <PanelTable
                        answer={answer}
                        title={panel.title}
                        measures={fewMeasures(answer, compared)}
                        compared={compared}
                        limit={60}
                        onSort={(name) => sortPanel(panel.name, name)}
                    />
                </div>
            ) : (
                <p class="empty">Nothing in this window.</p>
            )}
            {answer.more ? (
                <button type="button" class="quiet text all" onClick={() => expand(panel.name)}>
                    All rows
                </button>
            ) : null}
        </>
    )
}

function fewMeasures(answer, compared) {
    const { dimensions, sort } = answer
    const many = Math.max(1, MEASURES - (dimensions.length > 1) - compared)
    const first = answer.measures.slice(0, many)
    if (sort === 'change' || first.includes(sort)) return first
    return [...first.slice(0, many - 1), sort]
}

export function PanelMenu({ panel, answer, search = '' }) {
    if (!answer) return null
    const { sort, order } = state.value
    const options = { sort: sort[panel.name], order: order[panel.name], search: search || undefined, limit: 10_000 }
    const measures = [...panel.measures, ...(page.value?.before ? ['change'] : [])]
    const title = (name) => (name === 'change' ? 'Change' : (lake.value.measures[name]?.title ?? name))
    return (
        <DropDown
            className="right"
            kind="quiet"
            title={`Menu of ${panel.title}`}
            name={`Menu of ${panel.title}`}
            label={<Icon name="more" />}
        >
            {(close) => (
                <ul class="menu">
                    <li class="menu-title">Sort by</li>
                    {measures.map((name) => (
                        <li key={name}>
                            <button
                                type="button"
                                aria-pressed={answer.sort === name}
                                onClick={() => {
                                    sortPanel(panel.name, name)
                                    close()
                                }}
                            >
                                {title(name)}
                                {answer.sort === name ? <Icon name={answer.order === 'asc' ? 'up' : 'down'} /> : null}
                            </button>
                        </li>
                    ))}
                    <li class="menu-title">Take along</li>
                    <li>
                        <button
                            type="button"
                            onClick={() => {
                                close()
                                showSql(panel.title, answer.sql)
                            }}
                        >
                            SQL
                        </button>
                    </li>
                    {data.live
                        ? FORMATS.map(([format, text]) => (
                              <li key={format}>
                                  <a
                                      download={`${panel.name}.${format}`}
                                      href={data.download(`panels/${panel.name}`, state.value, { ...options, format })}
                                  >
                                      {text}
                                  </a>
                              </li>
                          ))
                        : null}
                    {data.live ? (
                        <>
                            <li class="menu-title">See</li>
                            <li>
                                <button type="button" onClick={() => go({ view: 'requests', open: '', search: '' })}>
                                    Requests
                                </button>
                            </li>
                        </>
                    ) : null}
                </ul>
            )}
        </DropDown>
    )
}
