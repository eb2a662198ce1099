// A plain table: columns are {head, cell(row), number, tip(row), optional(row)}. The first cell is the head of its row. An
// optional column is left out if `optional` is false for all rows.

export function Rows({ title, titled = false, kind, columns, rows, keyOf, share }) {
    const shown = columns.filter(({ optional }) => !optional || rows.some(optional))
    return (
        <table class={kind}>
            <caption class={titled ? undefined : 'hidden'}>{title}</caption>
            <thead>
                <tr>
                    {shown.map(({ head, number }) => (
                        <th scope="col" key={head} class={number ? 'number' : undefined}>
                            {head}
                        </th>
                    ))}
                </tr>
            </thead>
            <tbody>
                {rows.map((row, place) => (
                    <tr key={keyOf ? keyOf(row) : place} style={share && { '--share': share(row) }}>
                        {shown.map(({ head, number, cell, tip }, index) => {
                            const Cell = index ? 'td' : 'th'
                            return (
                                <Cell key={head} scope={index ? undefined : 'row'} class={number ? 'number' : undefined} title={tip?.(row)}>
                                    {cell(row)}
                                </Cell>
                            )
                        })}
                    </tr>
                ))}
            </tbody>
        </table>
    )
}
