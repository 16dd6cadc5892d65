// Runs the public suite of HTTP cache tests (npm's http-cache-tests) against tidegate, in reverse
// and in forward mode, each by default and with the options that follow the suite's reading of RFC 9111.
// Compares the results with expectations.json: a test that fails must be listed there with its reason,
// and a listed test must fail.
//
//   node run.mjs SUITE TIDEGATE [reverse|forward default|rfc [TEST-ID]]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [suite, tidegate, onlyMode, onlyReading, onlyTest] = process.argv.slice(2)
const load = path => import(pathToFileURL(resolve(suite, path)))
const fetch = createRequire(resolve(suite, 'package.json'))('node-fetch')
const expectations = JSON.parse(readFileSync(new URL('expectations.json', import.meta.url)))

/// Options for each reading of the RFC.
const READINGS = { default: [], rfc: ['--cache-set-cookie', '--vary-language', 'preferred'] }

/// An agent that connects to a proxy and requests absolute URLs: Node's clients have no proxy support.
class ForwardAgent extends http.Agent {
  constructor (port) {
    super({ keepAlive: true })
    this.proxyPort = port
  }

  addRequest (request, options) {
    request.path = `http://${options.host}:${options.port}${request.path}`
    super.addRequest(request, { ...options, host: '127.0.0.1', port: this.proxyPort })
  }
}

/// Starts a program; waits for a line on `stream` that matches `pattern`, and returns the number in it.
async function start (command, args, stream, pattern, env = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  child.stdout.resume()
  for await (const line of createInterface({ input: child[stream] })) {
    const found = pattern.exec(line)
    if (found) {
      child[stream].resume()
      return [child, Number(found[1])]
    }
  }
  throw new Error(`${command} has not started`)
}

async function stop (child) {
  child.kill('SIGTERM')
  await once(child, 'exit')
}

function freePort () {
  return new Promise(resolve => {
    const server = http.createServer().listen(0, () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function run (mode, reading) {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  const [pidfile, config] = [join(folder, 'pid'), join(folder, 'tidegate.toml')]
  // Some tests make the origin send more content than it announces; that must not affect other tests,
  // which run at the same time.
  writeFileSync(config, '[limits]\norigin-suspect = "0s"\n')
  const [origin] = await start('node', [resolve(suite, 'server/server.mjs')], 'stdout', /:(\d+)\/$/,
    { npm_config_protocol: 'http', npm_config_port: port, npm_config_pidfile: pidfile })
  const target = `http://127.0.0.1:${port}`
  const args = ['--config', config, '--listen', '127.0.0.1:0', '--access-log', 'off', ...READINGS[reading]]
  const how = mode === 'reverse' ? ['--to', target] : ['--allow-destination', '127.0.0.1']
  const [proxy, proxyPort] = await start(tidegate, [...args, ...how], 'stderr', /^listening .*:(\d+)$/)
  const agent = new ForwardAgent(proxyPort)
  const viaProxy = (url, init) => fetch(url, { ...init, agent })
  const { default: tests } = await load('tests/index.mjs')
  const { runTests, getResults } = await load('client/runner.mjs')
  const chosen = tests.map(set => ({ ...set, tests: set.tests.filter(test => !onlyTest || test.id === onlyTest) }))
  if (mode === 'reverse') await runTests(chosen, fetch, false, `http://127.0.0.1:${proxyPort}`)
  else await runTests(chosen, viaProxy, false, target)
  agent.destroy()
  await Promise.all([stop(proxy), stop(origin)])
  return report(mode, reading, chosen, getResults())
}

function report (mode, reading, tests, results) {
  const expected = { ...expectations.both, ...expectations[mode], ...expectations[reading] }
  const name = `${mode}, ${reading}`
  const count = {}
  let wrong = 0
  for (const test of tests.flatMap(set => set.tests).filter(test => test.id in results)) {
    const kind = test.kind ?? 'required'
    const passed = results[test.id] === true
    count[kind] ??= [0, 0]
    count[kind][0] += passed
    count[kind][1] += 1
    if (kind === 'check' || passed === !(test.id in expected)) continue
    wrong += 1
    console.log(passed ? `${name}: ${test.id} passes, although expectations.json lists it`
      : `${name}: ${test.id} (${kind}): ${results[test.id].join(': ')}`)
  }
  for (const [kind, [passed, all]] of Object.entries(count)) console.log(`${name}: ${kind} ${passed} of ${all}`)
  return wrong
}

// Each run has its own process, as the suite keeps its results in a global.
if (onlyMode) {
  process.exit(await run(onlyMode, onlyReading) ? 1 : 0)
}
let failed = false
for (const mode of ['reverse', 'forward']) {
  for (const reading of Object.keys(READINGS)) {
    const args = ['--no-warnings', ...process.argv.slice(1), mode, reading]
    const [code] = await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit')
    failed ||= code !== 0
  }
}
process.exit(failed ? 1 : 0)
