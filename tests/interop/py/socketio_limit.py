"""Messages as large as they may be: socketio_limit.py sync|asyncio URL PLAN LIMIT"""

from socketio_session import arguments, expect, session

kind, url, plan, limit = arguments(4)
limit = int(limit)
peer = session(kind, url, plan)
peer.connect()
peer.expect("connect")
peer.expect("auth", {})
# Ids of acknowledgements are 1 and so on; the whole packet is counted, with Engine.IO's `4` in front.
for n in (1, 2, 3):
    rest = len(f'42{n}["message-with-ack",""]')
    text = "x" * (limit - rest)
    expect(peer.call("message-with-ack", text), text)
# Over polling bytes are written in base64, and in one request with the packet before them.
largest = limit // 4 * 3 - 1000 if plan == "polling" else limit
for size in (0, 1, 65_535, 65_536, largest):
    data = bytes(n % 251 for n in range(size))
    peer.emit("message", (size, data, [data]) if size < 100_000 else (size, data))
    _, event, args = peer.next(f"{size} bytes")
    expect((event, args[0]), ("message-back", size))
    assert all(came in (data, [data]) for came in args[1:]), f"{size} bytes came back as others"
peer.end()

# One byte more is too much, and the connection ends. Over polling this client stops writing, and does not say so.
if plan != "polling":
    peer = session(kind, url, plan)
    peer.connect()
    peer.expect("connect")
    peer.expect("auth", {})
    peer.emit("message", "x" * limit)
    expect(peer.wait_for("disconnect"), [peer.client.reason.TRANSPORT_ERROR])
    peer.end()
print("ok")
