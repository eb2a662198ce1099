// One panel in full width: all its measures, search, and pages.

import { useEffect, useRef, useState } from 'preact/hooks'
import { data } from '../data/index.js'
import { dataQuery } from '../lib/url.js'
import { useFetched } from '../state/fetched.js'
import { go, state } from '../state/location.js'
import { commit, page, sortPanel } from '../state/store.js'
import { Icon } from './controls.jsx'
import { Detail, Scroll } from './detail.jsx'
import { SqlButton } from './dialog.jsx'
import { Paging } from './paging.jsx'
import { ModelChoice, PanelMenu } from './panel.jsx'
import { PanelTable } from './table.jsx'

const SIZE = 50

export function Expanded({ panel }) {
    const { sort, order, search, offset } = state.value
    const options = {
        sort: sort[panel.name],
        order: order[panel.name],
        search: search || undefined,
        limit: SIZE,
        offset: offset || undefined,
    }
    const key = `${panel.name}?${dataQuery(state.value)}|${JSON.stringify(options)}`
    const fetched = useFetched(key, (signal) => data.panel(panel.name, state.value, options, signal), { revision: commit.value })
    const { answer } = fetched
    return (
        <Detail
            title={panel.title}
            fetched={fetched}
            empty={search ? 'Nothing is found.' : 'Nothing in this window.'}
            lead={
                <button type="button" class="button" onClick={() => go({ open: '', search: '' })}>
                    <Icon name="left" />
                    All panels
                </button>
            }
            actions={
                <>
                    <ModelChoice panel={panel} />
                    <Search key={panel.name} title={panel.title} />
                    <SqlButton title={panel.title} sql={answer?.sql} />
                    <PanelMenu panel={panel} answer={answer} search={search} />
                </>
            }
        >
            {answer?.rows.length ? (
                <Scroll label={panel.title}>
                    <PanelTable
                        answer={answer}
                        title={panel.title}
                        measures={answer.measures}
                        compared={Boolean(page.value?.before)}
                        limit={120}
                        onSort={(name) => sortPanel(panel.name, name)}
                    />
                </Scroll>
            ) : null}
            <Paging size={SIZE} answer={answer} />
        </Detail>
    )
}

// The search text gets into the address after a moment. It replaces the entry of the history, so that back does not undo
// single letters.
function Search({ title }) {
    const [text, setText] = useState(state.value.search)
    const timer = useRef(null)
    useEffect(() => () => clearTimeout(timer.current), [])
    const type = (event) => {
        const typed = event.currentTarget.value
        setText(typed)
        clearTimeout(timer.current)
        timer.current = setTimeout(() => go({ search: typed }, { replace: true }), 200)
    }
    return (
        <label class="search">
            <Icon name="search" />
            <span class="hidden">Search in {title}</span>
            <input type="search" id="search" placeholder="Search" value={text} onInput={type} spellcheck={false} autocomplete="off" />
        </label>
    )
}
