// Requests a page and a WebSocket from an origin on port 80, through agents that open tunnels.
//
//   node node_agents.cjs PACKAGES PROXY-URL ADDRESS
const http = require('node:http')
const { once } = require('node:events')
const { createRequire } = require('node:module')

const [packages, proxy, address] = process.argv.slice(2)
const load = createRequire(`${packages}/`)
const { HttpsProxyAgent } = load('https-proxy-agent')
const { ProxyAgent, request } = load('undici')
const tunnel = load('tunnel')
const { WebSocket, WebSocketServer } = load('ws')

async function get (options) {
  const asked = http.get({ host: address, path: '/', ...options })
  const [answer] = await once(asked, 'response')
  let text = ''
  for await (const chunk of answer) text += chunk
  return text
}

async function echoed (agent) {
  const socket = new WebSocket(`ws://${address}/`, { agent })
  await once(socket, 'open')
  socket.send('hello')
  const [message] = await once(socket, 'message')
  socket.close()
  return message.toString()
}

async function main () {
  const origin = http.createServer((_, answer) => answer.end('hello'))
  new WebSocketServer({ server: origin }).on('connection', socket => {
    socket.on('message', message => socket.send(message))
  })
  await once(origin.listen(80, address), 'listening')
  const { hostname, port } = new URL(proxy)
  const agent = new HttpsProxyAgent(proxy)
  const dispatcher = new ProxyAgent(proxy)
  console.log('https-proxy-agent', await get({ agent }))
  console.log('undici', await (await request(`http://${address}/`, { dispatcher })).body.text())
  console.log('tunnel', await get({ agent: tunnel.httpOverHttp({ proxy: { host: hostname, port } }) }))
  console.log('ws', await echoed(agent))
  process.exit(0)
}

main()
