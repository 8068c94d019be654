// One class per stock client: each joins a room, says things, notes what it is told, and comes back by its own means.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';
import WebSocket from 'ws';

/** What every client here has: the messages it was told, in order. */
class Client {
  constructor(name, url, room) {
    Object.assign(this, { name, url, room, told: [], problems: [], welcomes: 0 });
    this.joined = new Promise(done => { this.isIn = done; });
  }

  hear(kind, frame) {
    if (kind === 'welcome') {
      this.welcomes += 1;
      // One that came back with a cursor is not told it again.
      this.token = frame.token ?? this.token;
      this.session = frame.session;
      if (this.welcomes > 1) this.problems.push(...frame.rooms.filter(room => room.status !== 'live').map(String));
    }
    if (kind === 'joined') {
      this.epoch = frame.epoch;
      this.seq = frame.seq;
      this.isIn();
      if (this.welcomes > 1) this.problems.push('joined again');
    }
    if (kind === 'message') this.told.push(`${frame.seq} ${frame.nick}: ${frame.text}`);
    if (kind === 'gap' || kind === 'error') this.problems.push(JSON.stringify(frame));
    if (frame.seq !== undefined && !['joined', 'ack', 'error'].includes(kind)) this.seq = frame.seq;
  }

  get positions() {
    return { [this.room]: `${this.epoch}:${this.seq}` };
  }
}

/** The `socket.io-client` package; with its defaults it begins with polling and upgrades. */
export class SocketIo extends Client {
  start(options = {}) {
    const auth = answer => answer(this.token ? { resume: this.token, positions: this.positions } : {});
    this.socket = io(this.url, { auth, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
    this.socket.onAny((kind, frame) => this.hear(kind, frame));
    this.socket.once('connect', () => {
      this.socket.emit('join', { room: this.room, nick: this.name }, answer => this.hear(answer.type, answer));
    });
    return this.joined;
  }

  send(text) {
    this.socket.emit('send', { room: this.room, text }, answer => answer.type === 'ack' || this.hear('error', answer));
  }

  stop() {
    this.socket.close();
  }
}

/** The `ws` package, with the few lines that resume. */
export class PlainWebSocket extends Client {
  start() {
    this.open([{ type: 'join', id: 1, room: this.room, nick: this.name }]);
    return this.joined;
  }

  open(first) {
    this.socket = new WebSocket(`${this.url.replace('http', 'ws')}/ws`, ['chat.v1']);
    this.socket.on('open', () => first.forEach(frame => this.socket.send(JSON.stringify(frame))));
    this.socket.on('message', text => {
      const frame = JSON.parse(text);
      this.hear(frame.type, frame);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      if (this.isOver) return;
      const again = () => this.open([{ type: 'hello', resume: this.token, positions: this.positions }]);
      setTimeout(again, 50);
    });
  }

  send(text) {
    this.socket.send(JSON.stringify({ type: 'send', room: this.room, text }));
  }

  stop() {
    this.isOver = true;
    this.socket.close();
  }
}

/** `curl -N` reads the stream, `curl` posts; it comes back with the last id it was told. */
export class Curl extends Client {
  start() {
    this.open(['-N', `${this.url}/sse?room=${this.room}&nick=${this.name}`]);
    return this.joined;
  }

  open(args) {
    this.stream = spawn('curl', ['-s', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let kind = '';
    createInterface({ input: this.stream.stdout }).on('line', line => {
      const [field, value] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)];
      if (field === 'event') kind = value;
      if (field === 'id') this.cursor = value;
      if (field === 'data') this.hear(kind, JSON.parse(value));
    });
    this.stream.once('close', () => {
      if (this.isOver) return;
      setTimeout(() => this.open(['-N', '-H', `Last-Event-ID: ${this.cursor}`, `${this.url}/sse`]), 50);
    });
  }

  send(text) {
    const body = JSON.stringify({ type: 'send', room: this.room, text });
    spawn('curl', ['-s', '-H', `Authorization: Bearer ${this.token}`, '-d', body, `${this.url}/sse/${this.session}`]);
  }

  stop() {
    this.isOver = true;
    this.stream.kill();
  }
}

/** The `python-socketio` package, in a process of its own. */
export class Python extends Client {
  start() {
    const script = `${import.meta.dirname}/socketio_client.py`;
    this.child = spawn('python3', [script, this.url, this.room, this.name], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.child.stdout }).on('line', line => {
      const { kind, frame } = JSON.parse(line);
      if (kind !== 'answer') this.hear(kind, frame);
    });
    return this.joined;
  }

  send(text) {
    this.child.stdin.write(`${JSON.stringify({ text })}\n`);
  }

  stop() {
    this.child.kill();
  }
}

/** What a browser has itself: `EventSource`, bare, or `WebSocket`; in a page of the server. */
export class Browser extends Client {
  async start(page, transport) {
    this.page = page;
    await page.exposeFunction('hear', (kind, frame) => this.hear(kind, frame));
    await page.goto(this.url);
    await page.evaluate({ EventSource: openEventSource, WebSocket: openWebSocket }[transport], [this.room, this.name]);
    return this.joined;
  }

  send(text) {
    return this.page.evaluate(said => window.say(said), text);
  }

  stop() {
    return this.page.close();
  }
}

function openEventSource([room, nick]) {
  const stream = new EventSource(`/sse?room=${room}&nick=${nick}`);
  const kinds = ['welcome', 'joined', 'message', 'member_joined', 'member_left', 'gap', 'error', 'closing'];
  for (const kind of kinds) {
    stream.addEventListener(kind, event => {
      if (!event.data) return; // the stream's own `error`
      const frame = JSON.parse(event.data);
      if (kind === 'welcome') window.me = { ...window.me, ...frame };
      window.hear(kind, frame);
    });
  }
  window.say = text => fetch(`/sse/${window.me.session}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${window.me.token}` },
    body: JSON.stringify({ type: 'send', room, text }),
  });
}

function openWebSocket([room, nick]) {
  let token = null, epoch = null, seq = 0;
  const open = first => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`);
    socket.onopen = () => socket.send(JSON.stringify(first));
    socket.onmessage = event => {
      const frame = JSON.parse(event.data);
      token = frame.token ?? token;
      epoch = frame.epoch ?? epoch;
      if (frame.seq !== undefined && !['ack', 'error'].includes(frame.type)) seq = frame.seq;
      window.hear(frame.type, frame);
    };
    socket.onclose = () => {
      setTimeout(() => open({ type: 'hello', resume: token, positions: { [room]: `${epoch}:${seq}` } }), 50);
    };
    window.say = text => socket.send(JSON.stringify({ type: 'send', room, text }));
  };
  open({ type: 'join', room, nick });
}
