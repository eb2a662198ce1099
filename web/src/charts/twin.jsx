// The numbers of a chart as a table, for users who cannot see it; built when it is opened.

import { useState } from 'preact/hooks'
import { Scroll } from '../views/detail.jsx'
import { Rows } from '../views/rows.jsx'

export function TableTwin({ caption, head, rows }) {
    const [open, setOpen] = useState(false)
    return (
        <details class="twin" onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary>As a table</summary>
            {open ? (
                <Scroll label={caption}>
                    <Rows title={caption} columns={head.map((name, at) => ({ head: name, cell: (row) => row[at] }))} rows={rows()} />
                </Scroll>
            ) : null}
        </details>
    )
}
