"""echo_server.py CERT KEY [CA]: Engine.IO over a WebSocket with Python's own ssl, for clients one after another. Echoes
messages, prints how each connection has ended: `ended` where close_notify came, `cut` where it did not. With a CA, clients
have to show a certificate; `refused` where they do not."""

import base64
import hashlib
import socket
import ssl
import struct
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
context.set_alpn_protocols(["http/1.1"])
if len(sys.argv) > 3:
    context.load_verify_locations(sys.argv[3])
    context.verify_mode = ssl.CERT_REQUIRED

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def serve(tls):
    received = b""

    def take(length):
        nonlocal received
        while len(received) < length:
            piece = tls.recv(65536)
            if not piece:
                raise EOFError
            received += piece
        taken, received = received[:length], received[length:]
        return taken

    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += take(1)
    if b"pgrade: websocket" not in request:
        tls.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    key = [line.split(b":")[1].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")]
    accept = base64.b64encode(hashlib.sha1(key[0] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    tls.sendall(head + accept + b"\r\n\r\n")

    def send(opcode, payload):
        length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack(">H", len(payload))
        tls.sendall(bytes([0x80 | opcode]) + length + payload)

    send(1, b'0{"sid":"secret","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":60000}')
    while True:
        opcode, length = take(2)
        length &= 127
        if length == 126:
            (length,) = struct.unpack(">H", take(2))
        mask = take(4)
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(take(length)))
        opcode &= 15
        if opcode == 8:
            send(8, payload)
            break
        if payload[:1] == b"4" or opcode == 2:
            if payload == b"4cut":
                # Without a word of TLS's.
                return "cut off"
            send(opcode, payload)
    while tls.recv(65536):
        pass


while True:
    tcp, _ = listener.accept()
    tcp.settimeout(10)
    try:
        tls = context.wrap_socket(tcp, server_side=True, suppress_ragged_eofs=False)
    except OSError as error:
        print("refused", error, flush=True)
        continue
    try:
        if serve(tls) == "cut off":
            socket.socket.shutdown(tls, socket.SHUT_RDWR)
            tls.close()
            print("cut off", flush=True)
            continue
        tls.unwrap()
        print("ended", flush=True)
    except EOFError:
        print("ended", flush=True)
    except OSError as error:
        print("cut", error, flush=True)
    tls.close()
