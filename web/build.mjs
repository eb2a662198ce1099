// Builds the page: sources in src/ become logagg/serve/static/{index.html,app.js,app.css,THIRD-PARTY.txt}.
// The same sources and packages give the same bytes.

import { build, context } from 'esbuild'
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const out = path.resolve(here, process.env.OUT ?? '../logagg/serve/static')
const options = {
  absWorkingDir: here,
  entryPoints: { app: 'src/main.js' },
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022'],
  charset: 'utf8',
  legalComments: 'none',
  metafile: true,
  plugins: [templates()],
}

// The white space between the tags of a template means nothing to htm, and need not be sent.
function templates() {
  return {
    name: 'templates',
    setup(builder) {
      builder.onLoad({ filter: /src[\\/].*\.js$/ }, async ({ path: file }) => {
        const text = await readFile(file, 'utf8')
        return { contents: text.replace(/>\n\s+(?=<|\$\{)/g, '>').replace(/\}\n\s+(?=<\/?[a-z$])/g, '}'), loader: 'js' }
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
  return `The page of logagg serve (app.js, app.css) contains these packages.\n\n${parts.join('\n\n')}`
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
  for (const name of ['app.js', 'app.css']) {
    const bytes = await readFile(path.join(out, name))
    console.log(`${name}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`)
  }
}
