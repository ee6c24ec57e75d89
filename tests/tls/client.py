"""client.py PORT CA: sessions over TLS, with nothing but Python's own ssl, which raises where close_notify is missing."""

import base64
import json
import os
import socket
import ssl
import struct
import sys

PORT, CA = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=CA)
context.set_alpn_protocols(["http/1.1"])


def connect():
    tcp = socket.create_connection(("127.0.0.1", PORT), timeout=10)
    # An end of TCP without close_notify is an error, not an end.
    tls = context.wrap_socket(tcp, server_hostname="localhost", suppress_ragged_eofs=False)
    assert tls.selected_alpn_protocol() == "http/1.1", tls.selected_alpn_protocol()
    return tls


def request(method, target, body=b"", headers=""):
    tls = connect()
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}"
    if body:
        head += f"Content-Length: {len(body)}\r\n"
    tls.sendall(head.encode() + b"\r\n" + body)
    answer = b""
    while piece := tls.recv(65536):
        answer += piece
    # The end was said. Say it too, and wait for nothing more.
    tls.unwrap().close()
    status, _, rest = answer.partition(b"\r\n")
    assert status.split()[1] == b"200", answer
    return rest.partition(b"\r\n\r\n")[2].decode()


# Polling.
opened = request("GET", "/engine.io/?EIO=4&transport=polling")
sid = json.loads(opened[1:])["sid"]
session = f"/engine.io/?EIO=4&transport=polling&sid={sid}"
assert request("POST", session, b"4hello") == "ok"
assert request("GET", session) == "4hello"
assert request("POST", session, b"1") == "ok"

# A WebSocket.
tls = connect()
key = base64.b64encode(os.urandom(16)).decode()
tls.sendall(
    f"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\n"
    f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
)
received = b""


def take(length):
    global received
    while len(received) < length:
        piece = tls.recv(65536)
        assert piece, "the end came too early"
        received += piece
    taken, received = received[:length], received[length:]
    return taken


def head():
    while not (line := take_line()) == b"":
        yield line


def take_line():
    line = b""
    while not line.endswith(b"\r\n"):
        line += take(1)
    return line[:-2]


def send(opcode, payload):
    mask = os.urandom(4)
    assert len(payload) < 65536
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    tls.sendall(bytes([0x80 | opcode]) + length + mask + masked)


def frame():
    opcode, length = take(2)
    if length == 126:
        (length,) = struct.unpack(">H", take(2))
    return opcode & 15, take(length)


assert next(head()).split()[1] == b"101"
list(head())
opcode, payload = frame()
assert payload.startswith(b"0{"), payload
for text in [b"4hello", b"4" + b"x" * 40000]:
    send(1, text)
    assert frame() == (1, text)
send(2, b"\x00\xff")
assert frame() == (2, b"\x00\xff")
send(8, struct.pack(">H", 1000))
assert frame()[0] == 8
assert tls.recv(1) == b"", "and then close_notify"
tls.unwrap().close()
print("ok")
