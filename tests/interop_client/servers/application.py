"""What both Python servers share: their options, the messages that they understand, what they print."""

import argparse
import json
import math
import sys
import threading

from engineio import packet

_stdout = threading.Lock()


def say(line):
    """Threads print too: a line is written as one."""
    with _stdout:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ping-interval", type=int, default=25000)
    parser.add_argument("--ping-timeout", type=int, default=20000)
    parser.add_argument("--max-payload", type=int, default=1000000)
    parser.add_argument("--transports", default="polling,websocket")
    parser.add_argument("--no-upgrades", action="store_true")
    parser.add_argument("--compression", type=int)
    parser.add_argument("--cookie", action="store_true")
    parser.add_argument("--refuse", action="store_true")
    parser.add_argument("--upgrade-delay", type=int, default=0)
    parser.add_argument("--websocket", default="auto")
    return parser.parse_args()


class TextStaysText:
    """python-engineio gives a handler what a text means as JSON. An echo wants the text."""

    dumps = staticmethod(json.dumps)

    @staticmethod
    def loads(text):
        raise ValueError("not to be parsed")


def for_engineio(options):
    """The options in python-engineio's words."""
    interval = options.ping_interval / 1000
    return {
        # It announces whole seconds only, rounded down, so the rest of the second is given as grace:
        # announced in full, and not waited for.
        "ping_interval": (interval, math.ceil(interval) - interval),
        "ping_timeout": options.ping_timeout / 1000,
        "max_http_buffer_size": options.max_payload,
        "transports": options.transports.split(","),
        "allow_upgrades": not options.no_upgrades,
        "http_compression": options.compression is not None,
        "compression_threshold": options.compression or 0,
        "cookie": "io" if options.cookie else None,
        "json": TextStaysText,
        # Handlers in the order of the messages.
        "async_handlers": False,
    }


class Sessions:
    """Decides what is done with a message, for either server: the answers, and whether to close."""

    def __init__(self, refuse):
        self.refuse = refuse
        self.messages = {}

    def connect(self, sid, environ):
        if self.refuse:
            return False
        self.messages[sid] = 0
        say("opened")

    def disconnect(self, sid, reason):
        say(f"closed {reason} messages={self.messages.pop(sid)}")

    def message(self, sid, data):
        command, _, argument = data.partition(" ") if isinstance(data, str) else ("", "", "")
        if command == "!close":
            return [], True
        if command == "!count":
            return [str(self.messages[sid])], False
        if command == "!send":
            return [str(number) for number in range(int(argument))], False
        self.messages[sid] += 1
        return [data], False


def say_request(method, url, headers):
    """`headers` has lower-case names."""
    cookie, authorization, x_test = (headers.get(name, "") for name in ("cookie", "authorization", "x-test"))
    say(f"request {method} {url} cookie={cookie} auth={authorization} x-test={x_test}")


def say_encoding(headers):
    for name, value in headers:
        if name.lower() == "content-encoding":
            say(f"encoded {value}")


def is_heartbeat(pkt):
    return pkt.packet_type == packet.PONG
