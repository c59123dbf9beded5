/**
 * Shows the files of an imported repository as pages, out of what `files` and `stats` answer.
 *
 *     ASOF_EGRESS=http://127.0.0.1:7491 PORT=9003 node pages.mjs
 *
 *     GET /pages/PATH    the first lines of a file, and its numbers
 *     GET /              an index of the files, with ?prefix=P
 *     GET /healthz
 *
 * The settings of the user arrive as values, `Asof-State-Theme: light|dark` and `Asof-State-Zone:
 * Europe/Berlin`: this service never learns who is asking, so all who chose dark share one page.
 * The time arrives as a value too, `As-Of`, where the route declares it.
 */

import http from 'node:http'
import { withAsofContext } from '../../middleware/node/asof-context.mjs'

const LINES_SHOWN = 20

const egress = process.env.ASOF_EGRESS?.replace(/\/+$/, '')
if (!egress) {
  console.error('ASOF_EGRESS is not set')
  process.exit(1)
}

/** An answer that is not a 200. */
class Refused extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

/** Calls another service; the context of the request is carried along. */
async function call(service, path) {
  let answer
  try {
    answer = await fetch(`${egress}/-/${service}/${path}`, { signal: AbortSignal.timeout(10_000) })
  } catch {
    throw new Refused(502, `${service} did not answer`)
  }
  if (answer.ok) return answer
  await answer.arrayBuffer() // so that the connection is free again
  if (answer.status === 404) throw new Refused(404, 'no such file')
  throw new Refused(502, `${service} answered ${answer.status}`)
}

/** The path of a file, encoded one way. `fetch` would resolve dots, and so leave the folder. */
function encoded(segments) {
  if (segments.some((segment) => ['', '.', '..'].includes(segment))) {
    throw new Refused(404, 'no such file')
  }
  return segments.map(encodeURIComponent).join('/')
}

function decoded(path) {
  try {
    return decodeURIComponent(path).split('/')
  } catch {
    throw new Refused(404, 'no such file')
  }
}

async function filePage(path, settings) {
  const segments = decoded(path)
  const name = encoded(segments)
  // One after the other: a file that is not there costs one call, and the edge, which asks again
  // in this order, learns from the first.
  const content = await (await call('files', `files/${name}`)).text()
  const stats = await (await call('stats', `stats/${name}`)).json()
  const rows = ['lines', 'bytes', 'words', 'longest_line'].map(
    (key) => `<tr><th>${key.replace('_', ' ')}<td>${Number(stats[key])}`,
  )
  const title = segments.join('/')
  return page(
    title,
    settings,
    `<h1>${escaped(title)}</h1>
<table>${rows.join('')}</table>
<pre>${escaped(content.split('\n').slice(0, LINES_SHOWN).join('\n'))}</pre>
<p><a href="/">all files</a></p>`,
  )
}

async function indexPage(prefix, settings) {
  const query = `prefix=${encodeURIComponent(prefix)}`
  const { files } = await (await call('files', `list?${query}`)).json()
  const summary = await (await call('stats', `summary?${query}`)).json()
  const items = files.map(({ key, bytes }) => {
    const href = '/pages/' + key.split('/').map(encodeURIComponent).join('/')
    return `<li><a href="${escaped(href)}">${escaped(key)}</a> ${Number(bytes)} bytes`
  })
  return page(
    prefix || 'all files',
    settings,
    `<h1>${escaped(prefix || 'all files')}</h1>
<p>${Number(summary.files)} files, ${Number(summary.bytes)} bytes</p>
<ul>${items.join('\n')}</ul>`,
  )
}

function page(title, { theme, zone, asOf }, main) {
  const moment = asOf === undefined ? '' : `as of ${escaped(localTime(asOf, zone))}, `
  return `<!doctype html>
<html lang="en" data-theme="${theme}">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>:root { color-scheme: ${theme}; font-family: sans-serif }</style>
${main}
<footer>${moment}theme ${theme}, zone ${escaped(zone)}</footer>
</html>
`
}

function escaped(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return String(text).replace(/[&<>"']/g, (character) => entities[character])
}

/** What the page depends on beside its path. What is not understood is as if it were not there. */
function settingsOf(headers) {
  const asOf = new Date(headers['as-of'] ?? NaN)
  return {
    theme: headers['asof-state-theme'] === 'dark' ? 'dark' : 'light',
    zone: knownZone(headers['asof-state-zone']) ?? 'UTC',
    asOf: Number.isNaN(asOf.getTime()) ? undefined : asOf,
  }
}

const OFFSET = /^([+-])([01]\d|2[0-3]):([0-5]\d)$/

function knownZone(zone) {
  if (zone === undefined || OFFSET.test(zone)) return zone
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

function localTime(moment, zone) {
  // Not every version of Node knows offsets as zones.
  const [, sign, hours, minutes] = OFFSET.exec(zone) ?? []
  const offset = sign ? Number(sign + 1) * (Number(hours) * 60 + Number(minutes)) * 60_000 : 0
  const timeZone = sign ? 'UTC' : zone
  const style = { dateStyle: 'short', timeStyle: 'medium', timeZone } // in 'sv': 2026-11-01 13:00:00
  return new Intl.DateTimeFormat('sv', style).format(moment.getTime() + offset)
}

async function answer(request) {
  const url = new URL(request.url, 'http://pages')
  const settings = settingsOf(request.headers)
  try {
    if (request.method !== 'GET') throw new Refused(405, 'only GET')
    if (url.pathname === '/healthz') return [200, 'text/plain', 'ok\n']
    if (url.pathname === '/') {
      return [200, 'text/html', await indexPage(url.searchParams.get('prefix') ?? '', settings)]
    }
    if (!url.pathname.startsWith('/pages/')) throw new Refused(404, 'no such page')
    return [200, 'text/html', await filePage(url.pathname.slice('/pages/'.length), settings)]
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    const { status, message } = error
    return [status, 'text/html', page(message, settings, `<h1>${escaped(message)}</h1>`)]
  }
}

const server = http.createServer(
  withAsofContext(async (request, response) => {
    let result
    try {
      result = await answer(request)
    } catch (error) {
      console.error(error)
      result = [500, 'text/plain', 'failed\n']
    }
    const [status, type, text] = result
    response.sendDate = false // the answer is the same whenever it is asked for
    response.writeHead(status, {
      'content-type': `${type}; charset=utf-8`,
      'content-length': Buffer.byteLength(text),
    })
    response.end(text)
  }),
)
server.keepAliveTimeout = 60_000
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`)
})
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
