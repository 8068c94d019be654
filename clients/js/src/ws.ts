// A WebSocket as a transport: text frames in and out, and one close with its code.

import { ABNORMAL } from './transport.js';
import type { Opener } from './transport.js';

/** What of a `WebSocket` is used here; that of the package `ws` has it, too. */
export interface WebSocketLike {
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}
export type WebSocketConstructor = new (url: string, protocol: string) => WebSocketLike;

/** The transport over a WebSocket, to a server at `https://...`. */
export function webSocketAt(url: string, Socket: WebSocketConstructor = WebSocket): Opener {
  return (hello, { onOpen, onFrame, onClose }) => {
    // The subprotocol names the wire protocol and its version.
    const socket = new Socket(`${url.replace(/^http/, 'ws')}/ws`, 'chat.v1');
    socket.onopen = () => {
      onOpen();
      socket.send(JSON.stringify(hello));
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      // What is no JSON is of no server of this protocol.
      try {
        data = JSON.parse(String(data));
      } catch {
        return;
      }
      onFrame(data as never);
    };
    socket.onclose = ({ code, reason }: { code?: number; reason?: string }) => onClose(code ?? ABNORMAL, reason ?? '');
    // A browser says that it is closed as well; Node 20 does not, where it was refused.
    socket.onerror = () => onClose(ABNORMAL, 'refused');
    return {
      send: frame => socket.send(JSON.stringify(frame)),
      close() {
        socket.onopen = socket.onmessage = socket.onclose = null;
        // What is given up before it was open fails, which is no news.
        socket.onerror = () => {};
        socket.close();
      },
      buffered: () => socket.bufferedAmount,
    };
  };
}
