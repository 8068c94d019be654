// The operator's door as its own description has it: requests made of the schemas, good and bad, and each answer held to them.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { freePort, startServer } from '../browser/chat.mjs';
import { PlainWebSocket } from './clients.mjs';

const TOKEN = 'not-to-be-guessed-7';
const ROOM = 'LUNCH';
/** What a good request is refused for is said by the codes of the protocol, which no schema knows. */
const CHECKS = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance', 'response_headers_conformance',
  'response_schema_conformance', 'negative_data_rejection', 'unsupported_method', 'ignored_auth'];

function missing() {
  if (spawnSync('schemathesis', ['--version']).status === 0) return false;
  if (process.env.CI === 'true') throw new Error('missing: schemathesis; CI must not skip this test');
  return 'missing: schemathesis';
}

/** Keeps the room of the examples there, whoever closes it: its owner makes it anew, and says something. */
class Keeper extends PlainWebSocket {
  hear(kind, frame) {
    super.hear(kind, frame);
    if (kind === 'joined') this.send('hello');
    if (kind === 'room_closed') this.socket.send(JSON.stringify({ type: 'create', id: 1, room: this.room, nick: this.name }));
  }
}

test('every operation answers as it is described, whatever is asked', { skip: missing() }, async t => {
  const port = await freePort();
  process.env.CHAT_ADMIN_TOKEN = TOKEN;
  const server = await startServer({ flags: ['--send-rate', '0', '--sessions-per-address', '0', '--admin', String(port)] });
  const keeper = new Keeper('Keeper', server.url, ROOM);
  t.after(async () => {
    keeper.stop();
    await server.stop();
  });
  keeper.open([{ type: 'create', id: 1, room: ROOM, nick: 'Keeper' }]);
  await keeper.joined;
  // A seed, so that a run again is the same run. To go down is asked for elsewhere.
  const options = ['run', `http://127.0.0.1:${port}/openapi.json`, '--header', `Authorization: Bearer ${TOKEN}`,
    '--checks', CHECKS.join(','), '--exclude-path', '/drain', '--phases', 'examples,coverage,fuzzing', '--max-examples', '20',
    '--seed', '7', '--workers', '2', '--generation-database', 'none',
    '--suppress-health-check', 'all', '--no-color'];
  const tester = spawn('schemathesis', options, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  [tester.stdout, tester.stderr].forEach(stream => stream.on('data', text => { said += text; }));
  const code = await new Promise(done => tester.once('exit', done));
  assert.equal(code, 0, said);
});
