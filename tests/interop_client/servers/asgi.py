"""python-engineio's `AsyncServer`, an ASGI application under uvicorn. See application.md."""

import asyncio
import socket

import engineio
import uvicorn
from engineio.async_socket import AsyncSocket

from application import Sessions, for_engineio, is_heartbeat, options, say, say_encoding, say_request


def watched(engine, upgrade_delay):
    """`engine` as an ASGI application that tells of its requests. The delay is in seconds."""
    app = engineio.ASGIApp(engine)

    async def serve(scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        url = f"{scope['raw_path'].decode()}?{scope['query_string'].decode()}"
        say_request(scope.get("method", "GET"), url, headers)

        if scope["type"] == "websocket":
            await asyncio.sleep(upgrade_delay)

        async def tell_and_send(event):
            if event["type"] == "http.response.start":
                say_encoding((name.decode(), value.decode()) for name, value in event["headers"])
            await send(event)

        await app(scope, receive, tell_and_send)

    return serve


def echo_server(options):
    engine = engineio.AsyncServer(async_mode="asgi", **for_engineio(options))
    sessions = Sessions(options.refuse)
    engine.on("connect", sessions.connect)
    engine.on("disconnect", sessions.disconnect)

    @engine.on("message")
    async def message(sid, data):
        answers, close = sessions.message(sid, data)
        for answer in answers:
            await engine.send(sid, answer)
        if close:
            # It waits until the close packet is fetched, which no handler may do.
            engine.start_background_task(engine.disconnect, sid)

    return engine


class WatchedSocket(AsyncSocket):
    async def receive(self, pkt):
        if is_heartbeat(pkt):
            say("heartbeat")
        await super().receive(pkt)


async def main():
    engineio.async_server.async_socket.AsyncSocket = WatchedSocket
    chosen = options()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", chosen.port))
    listener.listen()
    app = watched(echo_server(chosen), chosen.upgrade_delay / 1000)
    config = uvicorn.Config(app, ws=chosen.websocket, log_level="warning", access_log=False, lifespan="off")
    say(f"listening on {listener.getsockname()[1]}")
    await uvicorn.Server(config).serve(sockets=[listener])


asyncio.run(main())
