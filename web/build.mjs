// Builds the page: sources in src/ become logagg/serve/static/{index.html,app.js,app.css,THIRD-PARTY.txt}.
// The same sources and packages give the same bytes.

import { build, context } from 'esbuild'
import { minify } from 'terser'
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const out = path.resolve(here, process.env.OUT ?? '../logagg/serve/static')
const options = {
    absWorkingDir: here,
    entryPoints: { app: 'src/main.jsx' },
    outdir: out,
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['es2022'],
    charset: 'utf8',
    legalComments: 'none',
    metafile: true,
    jsx: 'transform',
    jsxFactory: 'h',
    jsxFragment: 'Fragment',
    inject: ['src/jsx.js'],
    plugins: [smallerPlot()],
}

// uPlot is one closure, of which a bundler can leave nothing out. These parts the page never uses: its legend, scatter
// plots, logarithmic scales, splines, formats of dates. Said to be constant, they go. It is for this version; a text that
// is not there ends the build.
const UNUSED = [
    [/const showLegend = legend\.show;/, 'const showLegend = false;'],
    [/\bmode == 2\b/g, 'false'],
    [/\bmode == 1\b/g, 'true'],
    [/\b(?:sc\.|scale\.|wsc\.)?distr == +(?:2|3|4|100)\b/g, 'false'],
    [/sc\.distr >= 3/g, 'false'],
    [/scaleX\.distr != 2/g, 'true'],
    [/\(paths\.spline {2}= monotoneCubic\);/, ''],
    [/\(paths\.stepped = stepped\);/, ''],
    [/uPlot\.join = join;/, ''],
    [/uPlot\.fmtDate = fmtDate;/, ''],
    [/uPlot\.rangeLog = rangeLog;/, ''],
    [/uPlot\.rangeAsinh = rangeAsinh;/, ''],
    [/const _timeAxisVals {3}= .*\n/, 'const _timeAxisVals = null;\n'],
    [/const _timeSeriesVal {2}= .*\n/, 'const _timeSeriesVal = null;\n'],
    [/const _fmtDate = .*\n/, ''],
    [/isStr\(sv\) \? timeSeriesVal\(.*?\)\) : (?=sv \|\| _timeSeriesVal)/, ''],
    [/isArr\(av\) \?\s+timeAxisVals\([^?]*?isStr\(av\) \?\s+timeAxisVal\(_tzDate, av\) :/, ''],
    [/const _timeAxisStamps = \[[^;]*\];/, 'const _timeAxisStamps = null;'],
    [/\bms == 1 \?/g, 'false ?'],
    [/xScaleDistr == [234]/g, 'false'],
    [/(const \[ timeIncrsMs, .*) genTimeStuffs\(1\);/, '$1 [];'],
]
function smallerPlot() {
    return {
        name: 'smaller-plot',
        setup(builder) {
            builder.onLoad({ filter: /uPlot\.esm\.js$/ }, async ({ path: file }) => {
                let contents = await readFile(file, 'utf8')
                for (const [text, instead] of UNUSED) {
                    const changed = contents.replace(text, instead)
                    if (changed === contents) throw new Error(`uPlot has no ${text} any more: look at build.mjs`)
                    contents = changed
                }
                return { contents, loader: 'js' }
            })
        },
    }
}

// Names, versions and licence texts of the packages that are in the bundle.
async function licences(inputs) {
    const names = new Set(inputs.map((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1]).filter(Boolean))
    const parts = []
    for (const name of [...names].sort()) {
        const folder = path.join(here, 'node_modules', name)
        const { version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))
        const file = (await readdir(folder)).sort().find((entry) => /^licen[cs]e/i.test(entry))
        if (!file) throw new Error(`${name} has no licence text`)
        parts.push(`${name} ${version} (${license})\n${'='.repeat(72)}\n\n${(await readFile(path.join(folder, file), 'utf8')).trim()}\n`)
    }
    return `The page of logagg serve (app.js, app.css) contains these packages, uPlot without the parts that the page does not use.\n\n${parts.join('\n\n')}`
}

async function finish({ metafile }) {
    await cp(path.join(here, 'src/index.html'), path.join(out, 'index.html'))
    await writeFile(path.join(out, 'THIRD-PARTY.txt'), await licences(Object.keys(metafile.inputs)))
}

await mkdir(out, { recursive: true })
if (process.argv.includes('--watch')) {
    options.plugins.push({ name: 'finish', setup: (builder) => builder.onEnd((result) => result.metafile && finish(result)) })
    await (await context(options)).watch()
} else {
    await finish(await build(options))
    const script = path.join(out, 'app.js')
    const { code } = await minify(await readFile(script, 'utf8'), { module: true, ecma: 2020, compress: { passes: 3 } })
    await writeFile(script, code)
    for (const name of ['app.js', 'app.css']) {
        const bytes = await readFile(path.join(out, name))
        console.log(`${name}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`)
    }
}
