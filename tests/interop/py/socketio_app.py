"""python-socketio against every handler of `sansocket serve --app socketio`: socketio_app.py sync|asyncio URL PLAN"""

import asyncio
import queue
import sys
import time

import socketio
from socketio_session import InOrderClient

STYLE, URL, PLAN = sys.argv[1:4]
PATIENCE = 20
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}[PLAN]
VALUES = (1, "two", {"three": [None, True, "ä😀"]}, b"\x01\x02", {"deep": [b"x"]}, [])
SAME = list(VALUES)


def new_client(client):
    """Notes every event, answers questions, and keeps what the server has said of each disconnect."""
    inbox = queue.Queue() if STYLE == "sync" else asyncio.Queue()

    async def put_async(event, *args):
        await inbox.put((event, list(args)))

    async def question_async(*args):
        await inbox.put(("question", list(args)))
        return ("answered", *args)

    def put(event, *args):
        inbox.put((event, list(args)))

    def question(*args):
        inbox.put(("question", list(args)))
        return ("answered", *args)

    client.on("*", put if STYLE == "sync" else put_async)
    client.on("question", question if STYLE == "sync" else question_async)
    client.inbox = inbox
    return client


def expect(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


async def scenario(connect, emit, call, receive, disconnect):
    """`connect` and the others are coroutines in both styles."""
    a = await connect("/", {"who": "a"})
    expect(await receive(a), ("auth", [{"who": "a"}]))
    b = await connect("/", None)
    expect(await receive(b), ("auth", [{}]))

    await emit(a, "message", VALUES)
    expect(await receive(a), ("message-back", SAME))
    expect(list(await call(a, "message-with-ack", VALUES)), SAME)

    for socket in (a, b):
        await call(socket, "join", "blue")
    who = await call(b, "who", None)
    expect(who, {"id": b.get_sid(), "rooms": ["blue"]})
    expect(await call(a, "count", None), 2)
    await emit(a, "to-room", ("blue", "hello", b"\x09"))
    expect(await receive(b), ("room-msg", ["hello", b"\x09"]))
    await emit(a, "in-room", ("blue", 1, 2))
    for socket in (a, b):
        expect(await receive(socket), ("room-msg", [1, 2]))
    await call(b, "leave", "blue")
    expect((await call(b, "who", None))["rooms"], [])

    await emit(a, "broadcast", {"b": b"\x07"})
    expect(await receive(b), ("broadcast", [{"b": b"\x07"}]))
    await emit(a, "emit-all", "x")
    for socket in (a, b):
        expect(await receive(socket), ("all", ["x"]))

    await emit(a, "ask-me", ("why", b"\x04"))
    expect(await receive(a), ("question", ["why", b"\x04"]))
    expect(await receive(a), ("answer", ["answered", "why", b"\x04"]))

    await emit(a, "burst", 500)
    for n in range(500):
        expect(await receive(a), ("n", [n]))

    for namespace, auth, wanted in (
        ("/dyn-x", None, "Invalid namespace"),
        ("/auth", None, "unauthorized"),
        ("/reject", None, "nope"),
    ):
        try:
            await connect(namespace, auth)
        except socketio.exceptions.ConnectionError as error:
            assert wanted in str(error) or "refused" in str(error) or "failed" in str(error), str(error)
        else:
            raise AssertionError(f"{namespace} let somebody in")
    c = await connect("/auth", {"token": "secret"})
    d = await connect("/dyn-7", None)
    expect(await call(d, "count", None, "/dyn-7"), 1)

    await emit(b, "disconnect-me", None)
    await disconnect(a)
    await disconnect(c)
    await disconnect(d)
    await disconnect(b)


def run_sync():
    def connect(namespace, auth):
        client = new_client(InOrderClient(reconnection=False))
        client.on("*", lambda event, *args: client.inbox.put((event, list(args))), namespace=namespace)
        client.connect(
            URL, auth=auth, namespaces=[namespace], transports=TRANSPORTS, wait_timeout=PATIENCE
        )
        return client

    async def later(function, *args):
        return function(*args)

    asyncio.run(
        scenario(
            lambda namespace, auth: later(connect, namespace, auth),
            lambda client, event, data: later(client.emit, event, data),
            lambda client, event, data, namespace="/": later(
                lambda: client.call(event, data, namespace=namespace, timeout=PATIENCE)
            ),
            lambda client: later(lambda: client.inbox.get(timeout=PATIENCE)),
            lambda client: later(client.disconnect),
        )
    )
    with socketio.SimpleClient() as simple:
        simple.connect(URL, transports=TRANSPORTS)
        expect(simple.receive(timeout=PATIENCE), ["auth", {}])
        expect(simple.call("message-with-ack", "x", timeout=PATIENCE), "x")
        simple.emit("message", (1, b"\x02"))
        expect(simple.receive(timeout=PATIENCE), ["message-back", 1, b"\x02"])
        for nothing in (lambda: simple.receive(timeout=0.1), lambda: simple.call("nobody", timeout=0.1)):
            try:
                nothing()
            except socketio.exceptions.TimeoutError:
                continue
            raise AssertionError("something came")
        simple.emit("disconnect-me")
        deadline = time.monotonic() + PATIENCE
        while simple.connected and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            simple.emit("message")
        except socketio.exceptions.DisconnectedError:
            return
        raise AssertionError("it went on after the end")


def run_asyncio():
    async def connect(namespace, auth):
        client = new_client(socketio.AsyncClient(reconnection=False))

        async def put(event, *args):
            await client.inbox.put((event, list(args)))

        client.on("*", put, namespace=namespace)
        await client.connect(
            URL, auth=auth, namespaces=[namespace], transports=TRANSPORTS, wait_timeout=PATIENCE
        )
        return client

    async def main():
        await scenario(
            connect,
            lambda client, event, data: client.emit(event, data),
            lambda client, event, data, namespace="/": client.call(
                event, data, namespace=namespace, timeout=PATIENCE
            ),
            lambda client: asyncio.wait_for(client.inbox.get(), PATIENCE),
            lambda client: client.disconnect(),
        )
        async with socketio.AsyncSimpleClient() as simple:
            await simple.connect(URL, transports=TRANSPORTS)
            expect(await simple.receive(timeout=PATIENCE), ["auth", {}])
            expect(await simple.call("message-with-ack", "x", timeout=PATIENCE), "x")
            await simple.emit("message", (1, b"\x02"))
            expect(await simple.receive(timeout=PATIENCE), ["message-back", 1, b"\x02"])
            for nothing in (lambda: simple.receive(timeout=0.1), lambda: simple.call("nobody", timeout=0.1)):
                try:
                    await nothing()
                except socketio.exceptions.TimeoutError:
                    continue
                raise AssertionError("something came")
            await simple.emit("disconnect-me")
            deadline = time.monotonic() + PATIENCE
            while simple.connected and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            try:
                await simple.emit("message")
            except socketio.exceptions.DisconnectedError:
                return
            raise AssertionError("it went on after the end")

    asyncio.run(main())


run_sync() if STYLE == "sync" else run_asyncio()
print("ok")
