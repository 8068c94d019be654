"""A stock python-socketio client: reads commands from standard input, writes what it is told to standard output, one JSON a line."""

import json
import sys
import threading

import socketio

url, room, nick = sys.argv[1:4]
state = {"token": None, "position": None}
client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.5, randomization_factor=0)


line = threading.Lock()


def say(kind, frame):
    # The client calls back from threads of its own.
    with line:
        print(json.dumps({"kind": kind, "frame": frame}), flush=True)


def auth():
    if state["token"] is None:
        return {}
    return {"resume": state["token"], "positions": {room: state["position"]}}


def stand(epoch, seq):
    with line:
        before, _, last = (state["position"] or ":").partition(":")
        # Of two callbacks the later one may be the first to run.
        if epoch not in (None, before) or seq > int(last):
            state["position"] = f"{epoch or before}:{seq}"


@client.on("*")
def told(kind, frame):
    if kind == "welcome":
        state["token"] = frame["token"]
    if "seq" in frame and kind not in ("ack", "error"):
        stand(frame.get("epoch"), frame["seq"])
    say(kind, frame)


client.connect(url, auth=auth)


def joined(frame):
    stand(frame["epoch"], frame["seq"])
    say("joined", frame)


client.emit("join", {"room": room, "nick": nick}, callback=joined)

for text in sys.stdin:
    command = json.loads(text)
    client.emit("send", {"room": room, **command}, callback=lambda answer: say("answer", answer))
