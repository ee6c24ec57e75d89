"""python-engineio's `Server` with threads, a WSGI application under werkzeug, whose sockets
simple-websocket takes over. See application.md."""

import logging
import time

import engineio
from werkzeug.serving import make_server

from application import Sessions, for_engineio, is_heartbeat, options, say, say_encoding, say_request


def watched(engine, upgrade_delay):
    """`engine` as a WSGI application that tells of its requests. The delay is in seconds."""
    app = engineio.WSGIApp(engine)

    def serve(environ, start_response):
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        say_request(environ["REQUEST_METHOD"], environ["RAW_URI"], headers)

        if "upgrade" in headers:
            time.sleep(upgrade_delay)

        def tell_and_start(status, headers, *rest):
            say_encoding(headers)
            return start_response(status, headers, *rest)

        return app(environ, tell_and_start)

    return serve


def echo_server(options):
    engine = engineio.Server(async_mode="threading", **for_engineio(options))
    sessions = Sessions(options.refuse)
    engine.on("connect", sessions.connect)
    engine.on("disconnect", sessions.disconnect)

    @engine.on("message")
    def message(sid, data):
        answers, close = sessions.message(sid, data)
        for answer in answers:
            engine.send(sid, answer)
        if close:
            # It waits until the close packet is fetched, which no handler may do.
            engine.start_background_task(engine.disconnect, sid)

    return engine


class WatchedSocket(engineio.socket.Socket):
    def receive(self, pkt):
        if is_heartbeat(pkt):
            say("heartbeat")
        super().receive(pkt)


def main():
    engineio.server.socket.Socket = WatchedSocket
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    chosen = options()
    app = watched(echo_server(chosen), chosen.upgrade_delay / 1000)
    server = make_server("127.0.0.1", chosen.port, app, threaded=True)
    say(f"listening on {server.port}")
    server.serve_forever()


main()
