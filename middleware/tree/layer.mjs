// One layer of the tree: see layer.py.

import http from 'node:http'
import { withAsofContext } from '../node/asof-context.mjs'

const { NAME, BELOW, ASOF_EGRESS, PORT } = process.env
let executions = 0

async function below(path) {
  const url = ASOF_EGRESS + BELOW + path
  const [status, text] = path.startsWith(`/lose-${NAME}/`) ? await losing(url) : await carrying(url)
  return status === 200 ? text : `[${status}]`
}

async function carrying(url) {
  const answer = await fetch(url) // carries the context by itself
  return [answer.status, await answer.text()]
}

function losing(url) {
  return new Promise((resolve, reject) => {
    const call = http.get(url, async (answer) => {
      let text = ''
      for await (const piece of answer.setEncoding('utf8')) text += piece
      resolve([answer.statusCode, text])
    })
    call.on('error', reject)
  })
}

const server = http.createServer(
  withAsofContext(async (request, response) => {
    if (request.url === '/executions') {
      response.end(String(executions))
      executions = 0
      return
    }
    executions += 1
    response.end(`${NAME}(${await below(request.url)})`)
  }),
)
server.listen(Number(PORT), '127.0.0.1')
