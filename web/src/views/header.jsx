// The head of the page: site, window, comparison, people or robots, zone, link, and the light of the data's age.

import { signal } from '@preact/signals'
import { data } from '../data/index.js'
import { label } from '../lib/text.js'
import { dateTime } from '../lib/format.js'
import { go, state, toggleZone } from '../state/location.js'
import { loading } from '../state/loader.js'
import { lake, zone } from '../state/store.js'
import { Choice, Icon, Segments } from './controls.jsx'
import { copyText } from './dialog.jsx'
import { Alerts } from './alerts.jsx'
import { Filters } from './filters.jsx'
import { Light } from './light.jsx'
import { WindowPicker, WindowText } from './window.jsx'

export const COMPARE = [
    ['none', 'No comparison'],
    ['previous', 'Period before'],
    ['week', 'Week before'],
    ['year', 'Year before'],
]
export const BOTS = [
    ['include', 'All'],
    ['exclude', 'People'],
    ['only', 'Robots'],
]
const VIEWS = [
    ['overview', 'Overview'],
    ['requests', 'Requests'],
    ['lines', 'Lines'],
    ['rejects', 'Rejects'],
    ['cluster', 'Cluster'],
]

export function Header() {
    return (
        <header class="top">
            <div class={loading.value ? 'progress busy' : 'progress'} aria-hidden="true" />
            <div class="bar">
                <h1>
                    <span class="logo" aria-hidden="true" />
                    {label(lake.value?.name ?? 'logagg', 30).text}
                </h1>
                {data.live ? <Views /> : null}
                <span class="grow" />
                {data.live ? <Alerts /> : null}
                {data.live ? <Light /> : <span class="as-of">As of {dateTime(data.clock(), zone.value)}</span>}
            </div>
            {data.live && state.value.view !== 'cluster' ? (
                <>
                    <div class="bar controls">
                        <SitePicker />
                        <WindowPicker />
                        <Choice label="Compare (c)" value={state.value.compare} choices={COMPARE} onChange={(compare) => go({ compare })} />
                        <Segments label="People or robots (b)" value={state.value.bots} choices={BOTS} onChange={(bots) => go({ bots })} />
                        <span class="grow" />
                        <WindowText />
                        <Zone />
                        <CopyLink />
                    </div>
                    <Filters />
                </>
            ) : data.live ? null : (
                <div class="bar controls">
                    <WindowText />
                    <Zone />
                    <span class="grow" />
                    <span class="hint">A file: windows, filters and requests need logagg serve.</span>
                </div>
            )}
        </header>
    )
}

function Views() {
    const chosen = state.value.view
    const here = VIEWS.filter(([name]) => name !== 'cluster' || lake.value?.cluster || chosen === 'cluster')
    return (
        <nav class="views" aria-label="Views">
            {here.map(([name, text]) => (
                <button
                    type="button"
                    key={name}
                    aria-current={name === chosen ? 'page' : undefined}
                    onClick={() => go({ view: name, open: '', search: '', reason: '' })}
                >
                    {text}
                </button>
            ))}
        </nav>
    )
}

function SitePicker() {
    const sites = lake.value?.sites ?? []
    const chosen = state.value.is.filter(({ dim }) => dim === 'site')
    const value = chosen.length === 1 ? chosen[0].value : chosen.length ? '\n' : ''
    const choices = [['', 'All sites'], ...sites.filter(Boolean).map((site) => [site, label(site, 40).text])]
    if (chosen.length > 1) choices.push(['\n', `${chosen.length} sites`])
    if (chosen.length === 1 && !sites.includes(value)) choices.push([value, label(value, 40).text])
    if (sites.length < 2 && !chosen.length) return null
    const choose = (site) =>
        go({ is: [...state.value.is.filter(({ dim }) => dim !== 'site'), ...(site ? [{ dim: 'site', value: site }] : [])] })
    return <Choice label="Site" value={value} choices={choices} onChange={choose} />
}

function Zone() {
    const utc = zone.value === 'UTC'
    return (
        <button
            type="button"
            class="quiet text"
            title={`Times are in ${zone.value} (u: ${utc ? 'local time' : 'UTC'})`}
            onClick={toggleZone}
        >
            {utc ? 'UTC' : zone.value.split('/').at(-1).replaceAll('_', ' ')}
        </button>
    )
}

const copied = signal('')
export async function copyLink() {
    copied.value = (await copyText(location.href)) ? 'Copied' : 'Not copied'
    setTimeout(() => {
        copied.value = ''
    }, 2000)
}

function CopyLink() {
    return (
        <button type="button" class="quiet text" title="Copy the link to this view (y)" onClick={copyLink}>
            <Icon name="link" />
            <span aria-live="polite">{copied.value || 'Link'}</span>
        </button>
    )
}
