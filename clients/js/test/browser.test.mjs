// In Chromium, from a page of another origin: what Node cannot show, and once more what it can.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS, missing, startLine, startServer } from './support/real.mjs';
import { inWords } from './support/room-model.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path));
const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];

function skips() {
  if (CHROMIUM) return missing();
  if (process.env.CI === 'true') throw new Error('chromium is not installed, and CI must not skip these tests');
  return 'chromium is not installed';
}

describe('Chromium', { skip: skips() }, () => {
  let pages, server, heard;
  before(async () => {
    pages = createServer((request, answer) => {
      if (request.method === 'POST') {
        let body = '';
        request.on('data', bytes => { body += bytes; });
        request.on('end', () => {
          heard(JSON.parse(body));
          answer.end();
        });
        return;
      }
      const { pathname } = new URL(request.url, 'http://page');
      const file = pathname === '/' ? 'test/support/page.html' : pathname.slice(1);
      const isThere = /^(dist|examples|test\/support)\/[\w.-]+$/.test(file) && existsSync(join(ROOT, file));
      answer.writeHead(isThere ? 200 : 404, { 'content-type': file.endsWith('.js') ? 'text/javascript' : 'text/html' });
      answer.end(isThere ? readFileSync(join(ROOT, file)) : '');
    });
    await new Promise(done => pages.listen(0, '127.0.0.1', done));
    const origin = `http://127.0.0.1:${pages.address().port}`;
    server = await startServer({ flags: ['--send-rate', '0', '--sessions-per-address', '0', '--origin', origin] });
  });
  after(async () => {
    pages?.close();
    pages?.closeAllConnections();
    await server?.stop();
  });

  /** Opens a page that plays a scene, and gives what it posts. */
  async function play(scene, options = {}) {
    const profile = mkdtempSync(join(tmpdir(), 'chat-chromium-'));
    const query = new URLSearchParams({ scene, url: server.url, ...options });
    const result = new Promise((done, fail) => {
      heard = done;
      setTimeout(() => fail(new Error(`${scene}: the page says nothing`)), PATIENCE_MS).unref();
    });
    const browser = spawn(CHROMIUM, [...FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${pages.address().port}/?${query}`], { stdio: 'ignore', detached: true });
    const ended = new Promise(done => browser.once('exit', done));
    try {
      const told = await result;
      assert.equal(told.error, undefined);
      return told;
    } finally {
      // With all of its helpers, which write into the folder.
      process.kill(-browser.pid, 'SIGKILL');
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  }

  for (const transports of ['ws', 'sse']) {
    test(`over ${transports}, through cuts, what is held is the log`, async () => {
      const line = await startLine(server.port);
      const cutting = setInterval(() => line.cut(), 400);
      const stop = setTimeout(() => clearInterval(cutting), 6_000);
      try {
        const { held, log, transport } = await play('cuts', { line: line.url, transports });
        assert.deepEqual(held.map(inWords), log.map(inWords));
        assert.deepEqual([log.length, transport], [60, transports]);
      } finally {
        clearInterval(cutting);
        clearTimeout(stop);
        line.stop();
      }
    });
  }

  test('the example shows what is said, as text, and what is taken back', async () => {
    const { rows, isNewRow, html } = await play('dom');
    assert.deepEqual(rows, ['Ann: taken back', 'Bob: <b>hi</b>']);
    assert.deepEqual([isNewRow, html], [true, '<bdi>Bob</bdi>: <bdi>&lt;b&gt;hi&lt;/b&gt;</bdi>']);
  });

  test('a page that is loaded again has its session, and a copy of it begins its own', async () => {
    const { member, texts, copy, status } = await play('reload');
    assert.deepEqual([member, texts, copy, status], [1, ['one', 'two'], 'nick_taken', 'open']);
  });

  test('where no WebSocket gets through, SSE does', async () => {
    const line = await startLine(server.port);
    line.rules.webSocket = 'refused';
    const { transport, isTyped } = await play('blocked', { line: line.url });
    assert.deepEqual([transport, isTyped], ['sse', true]);
    line.stop();
  });
});
