"""A chat client on `websockets`, for one room: it comes back where it was, says each thing once, and holds what the log says."""
import asyncio, json, random, uuid
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

class Chat:
    def __init__(self, url, room, nick):
        self.url, self.room, self.nick, self.socket, self.token, self.epoch, self.asked = url, room, nick, None, None, None, None
        self.seq = self.known = self.due = self.attempt = 0  # all changes up to `known` are shown; `due` is the last one heard of
        self.is_live, self.is_stale, self.messages, self.outbox = False, False, {}, []

    async def run(self):  # until the server says not to come back
        code = 0
        while not 4500 <= (code or 0) < 5000:
            self.wait, self.attempt = random.uniform(0, min(20, 2 ** self.attempt / 2)), min(self.attempt + 1, 6)
            try:
                async with connect(self.url, subprotocols=["chat.v1"]) as self.socket:
                    back = {"resume": self.token, "positions": {self.room: f"{self.epoch}:{self.seq}"}} if self.token else {}
                    await self.say({"type": "hello"} | back)
                    async for text in self.socket:
                        await self.hear(json.loads(text))
            except (WebSocketException, OSError):
                pass
            code, self.is_live, self.asked = self.socket and self.socket.close_code, False, None
            await asyncio.sleep(self.wait)

    async def send(self, text):  # waits for a connection where there is none, and may be said again under its key
        if len(self.outbox) >= 256:
            raise OverflowError("too much waits to be sent")
        self.outbox.append({"type": "send", "text": text, "key": uuid.uuid4().hex})
        await self.go_on()

    async def say(self, frame):
        try:
            await self.socket.send(json.dumps(frame))
        except WebSocketException:
            pass  # `run` hears of it, and it is said again

    async def go_on(self):  # one command at a time: what was changed, then what was missed, then what waits
        missed = {"type": "changes", "after": self.known} if self.due > self.known else self.is_stale and {"type": "history", "limit": 200}
        frame = missed or (self.outbox and self.outbox[0])
        if frame and self.is_live and not self.asked:
            self.asked = frame | {"id": random.getrandbits(52), "room": self.room}
            await self.say(self.asked)

    async def hear(self, frame):
        kind, is_own, fits = frame["type"], frame.get("room") == self.room, frame.get("epoch") == self.epoch
        if kind == "welcome" or (kind == "resumed" and is_own):
            self.attempt, self.token = 0, frame.get("token", self.token)
            told = next((room for room in frame.get("rooms", [frame]) if room["room"] == self.room), {"status": "unknown"})
            self.is_live = told["status"] in ("live", "gap") and told.get("epoch") == self.epoch  # else its `joined` follows
            if told["status"] in ("left", "closed", "unknown"):
                after = {"after": f"{self.epoch}:{self.seq}"} if self.epoch else {}
                await self.say({"type": "join", "room": self.room, "nick": self.nick} | after)
        elif kind == "token":
            self.token = frame["token"]
        elif kind == "closing":
            self.wait = frame.get("reconnect_after_ms", 0) / 1000
        elif kind == "joined" and is_own:
            if not fits and self.epoch:
                self.outbox.clear()  # it was written for another life of the room
            if not fits or frame["seq"] != self.seq:
                self.messages = {message["seq"]: message for message in frame["history"]}
                self.known, self.due, self.is_stale = max(frame["seq"], frame["as_of"]), frame["changed_at"], False
            self.epoch, self.seq, self.is_live = frame["epoch"], frame["seq"], True
        elif self.asked and "id" in frame and frame["id"] == self.asked["id"]:
            await self.answered(frame, self.asked["type"])
        elif is_own and kind == "gap":  # the newest are read again
            self.messages, self.seq, self.known, self.due, self.is_stale = {}, frame["to"], frame["to"], 0, True
        elif is_own and "seq" in frame and "at" in frame:  # an event, whatever its type
            self.seq = frame["seq"]
            self.messages |= {self.seq: frame} if kind == "message" else {}
            self.due = self.seq if kind in ("edited", "redacted", "swept", "reacted") else self.due
            self.known = max(self.known, self.seq) if self.due <= self.known else self.known
        await self.go_on()

    async def answered(self, frame, kind):
        self.asked = None
        if "retry_after_ms" in frame:  # the same again, a little later
            await asyncio.sleep(min(frame["retry_after_ms"] / 1000, 5))
        elif kind == "send":
            self.outbox.pop(0)
        elif frame["type"] == "error":  # more was changed than the server remembers
            self.messages, self.known, self.is_stale = {}, self.due, True
        elif frame["epoch"] == self.epoch and kind == "history":
            self.messages |= {message["seq"]: message for message in frame["messages"]}
            self.known, self.is_stale = (min(self.known, frame["as_of"]) if self.due > frame["as_of"] else self.known), False
        elif frame["epoch"] == self.epoch:
            now = {message["seq"]: message for message in frame["messages"] if message["seq"] in self.messages}
            self.messages = {seq: message for seq, message in (self.messages | now).items() if not message.get("gone")}
            if "swept" in frame:  # many at once: the newest are read again
                self.messages, self.is_stale = {}, True
            self.known = max(self.known, frame["through"])
            self.known = max(self.known, self.seq) if self.due <= self.known else self.known
