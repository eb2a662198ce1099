// The numbers of a chart as a table, for those who cannot see it; made when it is opened.

import { useState } from 'preact/hooks'
import { Scroll } from '../views/detail.jsx'

export function TableTwin({ caption, head, rows }) {
    const [open, setOpen] = useState(false)
    return (
        <details class="twin" onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary>As a table</summary>
            {open ? (
                <Scroll label={caption}>
                    <table>
                        <caption class="hidden">{caption}</caption>
                        <thead>
                            <tr>
                                {head.map((name) => (
                                    <th scope="col">{name}</th>
                                ))}
                            </tr>
                        </thead>
                        <tbody>
                            {rows().map(([first, ...others]) => (
                                <tr key={first}>
                                    <th scope="row">{first}</th>
                                    {others.map((text) => (
                                        <td>{text}</td>
                                    ))}
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </Scroll>
            ) : null}
        </details>
    )
}
