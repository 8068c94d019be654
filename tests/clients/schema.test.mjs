// The protocol as data: the examples of the protocol page and all that is said in 200 simulated worlds follow the schemas.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import Ajv07 from 'ajv';
import Ajv from 'ajv/dist/2020.js';
import specifications from '@asyncapi/specs';

const ROOT = new URL('../../', import.meta.url);
const SIMULATOR = process.env.CHAT_SIM ?? new URL('target/release/chat-sim', ROOT).pathname;

/** A schema without fields that it does not name: a client must let them pass, but all that this server says is named. */
function closed(schema) {
  // What stands beside other fields of the same frame is closed together with them.
  const besides = new Set();
  const each = (part, visit) => {
    if (part === null || typeof part !== 'object') return;
    visit(part);
    Object.values(part).forEach(inner => each(inner, visit));
  };
  each(schema, part => { if (part.$ref && part.properties) besides.add(part.$ref.slice('#/$defs/'.length)); });
  const open = new Set([schema, ...[...besides].map(name => schema.$defs[name])]);
  each(schema, part => { if (part.properties && !open.has(part)) part.unevaluatedProperties = false; });
  // The `id` of a client's frame stands beside the fields of each.
  for (const frame of schema.oneOf) Object.assign(frame.properties, schema.properties);
  return schema;
}

function read(name) {
  return JSON.parse(readFileSync(new URL(`docs/schema/${name}`, ROOT), 'utf8'));
}

/** A check for each `type`, so that what is wrong is said of the frame that was meant. */
function checker(schema) {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const whole = ajv.compile(schema);
  const byType = new Map();
  for (const frame of schema.oneOf) {
    const one = { ...frame, $defs: schema.$defs };
    byType.set(frame.properties.type.const, ajv.compile(one));
  }
  return json => {
    const frame = JSON.parse(json);
    const check = byType.get(frame.type);
    if (check === undefined) return `${json}: no type of a frame`;
    if (!check(frame)) return `${json}: ${ajv.errorsText(check.errors)}`;
    return whole(frame) ? undefined : `${json}: ${ajv.errorsText(whole.errors)}`;
  };
}

const strict = {
  client: checker(closed(read('client-frame.json'))),
  server: checker(closed(read('server-frame.json'))),
};

test('the AsyncAPI document is one, and all that it refers to is in it', () => {
  const document = read('asyncapi.json');
  // It brings the draft that it is written in along.
  const ajv = new Ajv07({ strict: false, validateFormats: false, meta: false, validateSchema: false });
  const check = ajv.compile(specifications.schemas['3.0.0']);
  assert.ok(check(document), ajv.errorsText(check.errors, { separator: '\n' }));
  assert.ok(!check({ ...document, operations: { hear: { action: 'listen' } } }), 'what is wrong is found');
  const references = JSON.stringify(document).matchAll(/"\$ref":"(#[^"]*)"/g);
  for (const [, reference] of references) {
    const steps = reference.slice(2).split('/').map(step => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'));
    const target = steps.reduce((part, step) => part?.[step], document);
    assert.notEqual(target, undefined, reference);
  }
});

test('every example of the protocol page follows its schema', () => {
  const page = readFileSync(new URL('docs/protocol.md', ROOT), 'utf8');
  for (const [side, check] of Object.entries(strict)) {
    const examples = [...page.matchAll(new RegExp(`\`\`\`json ${side}\n(.*?)\`\`\``, 'gs'))].map(([, json]) => json);
    assert.ok(examples.length > 10, `the page has examples of ${side} frames`);
    assert.deepEqual(examples.map(check).filter(Boolean), []);
  }
});

test('a frame that lacks a field or has a wrong one does not follow its schema', () => {
  const loose = { client: checker(read('client-frame.json')), server: checker(read('server-frame.json')) };
  const wrong = {
    client: [
      { type: 'send' },
      { type: 'join', room: 'LUNCH' },
      { type: 'typing', room: 'LUNCH', on: 1 },
      { type: 'dance', room: 'LUNCH' },
      { type: 'role', room: 'LUNCH', member: 1, role: 'king' },
      { id: -1, type: 'leave', room: 'LUNCH' },
      { id: 2 ** 53, type: 'leave', room: 'LUNCH' },
    ],
    server: [
      { type: 'ack', room: 'LUNCH' },
      { type: 'presence', room: 'LUNCH', members: -1, online: 0 },
      { type: 'room_closed', room: 'LUNCH', epoch: '5', reason: 'closed' },
      { type: 'member_left', room: 'LUNCH', seq: 1, at: 'yesterday', member: 1, nick: 'Ann', reason: 'left' },
    ],
  };
  for (const [side, frames] of Object.entries(wrong)) {
    for (const frame of frames) assert.ok(loose[side](JSON.stringify(frame)), JSON.stringify(frame));
  }
  const later = JSON.stringify({ type: 'presence', room: 'LUNCH', members: 1, online: 1, away: 1 });
  assert.equal(loose.server(later), undefined, 'a field of a later server is let pass');
  assert.ok(strict.server(later));
});

test('every frame of 200 simulated worlds follows its schema', async t => {
  const why = `there is no simulator at ${SIMULATOR}: cargo build --release -p chat-sim, or name it in CHAT_SIM`;
  if (!existsSync(SIMULATOR)) {
    if (process.env.CI) throw new Error(why);
    return t.skip(why);
  }
  const folder = mkdtempSync(join(tmpdir(), 'chat-frames-'));
  try {
    const counts = { client: 0, server: 0 }, kinds = new Set();
    for (const [number, flags] of [['180', []], ['20', ['--kind', 'servers']]].entries()) {
      const file = join(folder, `frames-${number}`);
      const [worlds, more] = flags;
      const { status, stdout } = spawnSync(SIMULATOR, ['--worlds', worlds, '--frames', file, ...more], { encoding: 'utf8' });
      assert.equal(status, 0, stdout);
      for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
        const space = line.indexOf(' ');
        const side = line.slice(0, space), json = line.slice(space + 1);
        const wrong = strict[side](json);
        assert.equal(wrong, undefined);
        counts[side] += 1;
        kinds.add(JSON.parse(json).type);
      }
    }
    t.diagnostic(`${counts.client} frames of clients and ${counts.server} of servers, of ${kinds.size} types`);
    assert.ok(counts.client > 5000 && counts.server > 50000 && kinds.size > 45);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
