"""python-socketio with the handlers that the tests want. Prints its port; ends with its standard input."""

import asyncio
import socket
import sys

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi", ping_interval=5)


def handlers(namespace, check=None):
    @sio.on("connect", namespace=namespace)
    async def connect(sid, environ, auth):
        if check is not None:
            check(auth)
        await sio.emit("auth", auth or {}, to=sid, namespace=namespace)

    @sio.on("message", namespace=namespace)
    async def message(sid, *args):
        await sio.emit("message-back", args, to=sid, namespace=namespace)

    @sio.on("message-with-ack", namespace=namespace)
    async def message_with_ack(sid, *args):
        return args

    @sio.on("burst", namespace=namespace)
    async def burst(sid, n):
        for i in range(n):
            await sio.emit("n", i, to=sid, namespace=namespace)

    @sio.on("ask-me", namespace=namespace)
    async def ask_me(sid, *args):
        answer = await sio.call("question", args, to=sid, namespace=namespace, timeout=5)
        await sio.emit("answer", answer, to=sid, namespace=namespace)

    @sio.on("disconnect-me", namespace=namespace)
    async def disconnect_me(sid, close=False):
        await sio.disconnect(sid, namespace=namespace)


def nope(auth):
    raise socketio.exceptions.ConnectionRefusedError("nope", {"code": 7})


def secret(auth):
    if (auth or {}).get("token") != "secret":
        raise socketio.exceptions.ConnectionRefusedError("unauthorized")


handlers("/")
handlers("/custom")
handlers("/reject", nope)
handlers("/auth", secret)


async def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Whoever connects before the server accepts waits.
    listener.listen()
    config = uvicorn.Config(socketio.ASGIApp(sio), log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    print(listener.getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.should_exit = True
    await serving


asyncio.run(main())
