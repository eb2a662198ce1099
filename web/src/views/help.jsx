// The help: all keys, and the actions of the pointer.

import { KEYS, keyName } from '../lib/keys.js'
import { data } from '../data/index.js'
import { lake } from '../state/store.js'
import { dialog } from './dialog.jsx'

const POINTER = [
    ['Drag over a chart', 'narrow the window'],
    ['Double click on a chart', 'widen it again'],
    ['Click a value', 'everything follows it'],
    ['Ctrl or Shift and click', 'one more value'],
    ['Alt and click', 'exclude the value'],
]

export function showHelp() {
    dialog.value = { title: 'Help', wide: true, body: Help }
}

function Help() {
    const groups = ['Window', 'Rows', 'Page']
    return (
        <>
            <div class="help">
                {groups.map((group) => (
                    <section key={group}>
                        <h3>{group}</h3>
                        <dl>
                            {KEYS.filter((entry) => entry.group === group).map(({ key, text }) => (
                                <div key={key}>
                                    <dt>
                                        <kbd>{keyName(key)}</kbd>
                                    </dt>
                                    <dd>{text}</dd>
                                </div>
                            ))}
                        </dl>
                    </section>
                ))}
                <section>
                    <h3>Pointer</h3>
                    <dl>
                        {POINTER.map(([what, does]) => (
                            <div key={what}>
                                <dt>{what}</dt>
                                <dd>{does}</dd>
                            </div>
                        ))}
                    </dl>
                </section>
            </div>
            <p class="hint">
                The address holds the whole view: copy it to share it. logagg {lake.value?.version ?? ''}
                {data.live ? (
                    <>
                        , <a href="THIRD-PARTY.txt">third-party licences</a>
                    </>
                ) : null}
            </p>
        </>
    )
}
