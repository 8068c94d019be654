"""Drives the example in examples/python: what stands on a line of standard input is sent, and what is held is written after each frame."""

import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples" / "python"))

from chat import Chat  # noqa: E402


async def main(url, room, nick):
    chat, taken = Chat(url, room, nick), 0
    hear = chat.hear

    def show(is_welcome):
        state = {"seq": chat.seq, "due": chat.due, "known": chat.known, "is_live": chat.is_live, "waiting": len(chat.outbox)}
        held = [chat.messages[seq] for seq in sorted(chat.messages)]
        print(json.dumps({**state, "is_stale": chat.is_stale, "taken": taken, "welcomed": is_welcome, "messages": held}), flush=True)

    async def heard(frame):
        await hear(frame)
        show(frame["type"] == "welcome")

    chat.hear = heard
    running = asyncio.create_task(chat.run())
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        await chat.send(json.loads(line))
        taken += 1
        show(False)
    running.cancel()


asyncio.run(main(*sys.argv[1:4]))
