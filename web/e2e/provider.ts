// SPDX-License-Identifier: Apache-2.0
// An OpenID provider as a hospital has one: glewlwyd (the Debian package of that
// name) with its own pages, a client for the console and its people.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { until } from './until'

const schema = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3'
const pages = '/usr/share/glewlwyd'
export const clientSecret = 's3cret-of-the-client'
export const passwordOf = (name: string) => `password of ${name}`

/** What is missing on this machine to run it, or nothing. */
export function missing(): string {
  const need = ['/usr/bin/glewlwyd', '/usr/bin/sqlite3', schema, join(pages, 'webapp/login.html')]
  return need.filter((p) => !existsSync(p)).join(', ')
}

export async function freePort(): Promise<number> {
  const s = createServer()
  await new Promise<void>((f) => s.listen(0, '127.0.0.1', f))
  const a = s.address()
  await new Promise((f) => s.close(f))
  if (a === null || typeof a === 'string') throw new Error('no port')
  return a.port
}

export interface Provider {
  issuer: string
  stop: () => Promise<void>
}

const types: Record<string, string> = { '.html': 'text/html', '.css': 'text/css', '.js': 'application/javascript', '.json': 'application/json', '.png': 'image/png', '.woff2': 'font/woff2', '*': 'application/octet-stream' }

/** Starts it in `dir`, for one client that comes back to `callback`; each person has the groups given. */
export async function startProvider(dir: string, callback: string, people: Record<string, string[]>): Promise<Provider> {
  mkdirSync(dir, { recursive: true })
  const port = await freePort()
  const web = join(dir, 'web')
  // Its config.json is a link that a package may leave dangling; the template is what it would hold.
  cpSync(join(pages, 'webapp'), web, { recursive: true, dereference: true, filter: (p) => !p.endsWith('/config.json') })
  writeFileSync(join(web, 'config.json'), readFileSync(join(pages, 'templates/config.json')))
  const db = join(dir, 'db')
  execFileSync('sqlite3', [db], { input: readFileSync(schema) })
  execFileSync('sqlite3', [db], { input: `UPDATE g_user_module_instance SET gumi_parameters='{"use-glewlwyd-connection":true,"data-format":{"groups":{"multiple":true,"read":true,"write":true}}}';` })
  const root = '/usr/lib/glewlwyd'
  writeFileSync(
    join(dir, 'conf'),
    `port=${port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:${port}"
login_url="login.html"
api_prefix="api"
static_files_path="${web}"
static_files_mime_types = ( ${Object.entries(types).map(([e, t]) => `{ extension = "${e}" mime_type = "${t}" }`).join(',\n')} )
log_mode="console"
log_level="WARNING"
cookie_secure=0
session_expiration=3600
session_key="S"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="${root}/user"
client_module_path="${root}/client"
user_auth_scheme_module_path="${root}/scheme"
plugin_module_path="${root}/plugin"
hash_algorithm="SHA512"
database={ type="sqlite3"; path="${db}"; };
`,
  )
  const server = spawn('glewlwyd', [`--config-file=${join(dir, 'conf')}`], { stdio: 'ignore' })
  const base = `http://127.0.0.1:${port}/api`
  await until(async () => (await fetch(`${base}/../config.json`).catch(() => null))?.ok === true, 20_000)
  await fill(base, callback, people)
  return { issuer: `${base}/oidc`, stop: () => stop(server, dir) }
}

async function stop(server: ChildProcess, dir: string): Promise<void> {
  if (server.exitCode === null) {
    const ended = new Promise((f) => server.once('exit', f))
    server.kill('SIGTERM')
    await ended
  }
  rmSync(dir, { recursive: true, force: true })
}

/** The OpenID plugin, the client, the people. */
async function fill(base: string, callback: string, people: Record<string, string[]>): Promise<void> {
  let cookie = ''
  const post = async (path: string, body: unknown) => {
    const r = await fetch(base + path, { method: 'POST', headers: { 'Content-Type': 'application/json', Cookie: cookie }, body: JSON.stringify(body) })
    if (!r.ok) throw new Error(`glewlwyd: POST ${path}: ${r.status} ${await r.text()}`)
    cookie = r.headers.get('set-cookie')?.split(';')[0] ?? cookie
  }
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs1', format: 'pem' } })
  const claim = (name: string, property: string) => ({ name, 'user-property': property, type: 'string', mandatory: true, 'on-demand': false, scope: [] })
  const off = Object.fromEntries(['token', 'none', 'password', 'client', 'refresh', 'device'].map((t) => [`auth-type-${t}-enabled`, false]))
  await post('/auth/', { username: 'admin', password: 'password' })
  await post('/mod/plugin/', {
    module: 'oidc', name: 'oidc', display_name: 'oidc', order_rank: 0, readonly: false,
    parameters: {
      iss: `${base}/oidc`, 'jwt-type': 'rsa', 'jwt-key-size': '256', key: privateKey, cert: publicKey,
      'code-duration': 600, 'refresh-token-duration': 3600, 'access-token-duration': 600, 'allow-non-oidc': false,
      ...off, 'auth-type-code-enabled': true, 'auth-type-id-token-enabled': true,
      'pkce-allowed': true, 'pkce-method-plain-allowed': false, 'pkce-required': true, 'subject-type': 'public', 'jwks-show': true,
      'name-claim': 'mandatory', 'email-claim': 'no', claims: [claim('preferred_username', 'username'), claim('groups', 'groups')],
    },
  })
  await post('/client/?source=database', {
    client_id: 'asepsis', name: 'Asepsis', confidential: true, password: clientSecret, enabled: true,
    redirect_uri: [callback], authorization_type: ['code'], scope: ['openid'], token_endpoint_auth_method: ['client_secret_basic'],
  })
  for (const [name, groups] of Object.entries(people)) {
    await post('/user/?source=database', { username: name, name: `${name} Example`, password: passwordOf(name), enabled: true, email: '', scope: ['openid', 'g_profile'], groups })
  }
}
