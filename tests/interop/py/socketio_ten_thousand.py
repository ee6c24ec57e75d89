"""10,000 events each way, in order: socketio_ten_thousand.py sync|asyncio URL PLAN"""

from socketio_session import arguments, expect, session

COUNT = 10_000
kind, url, plan = arguments(3)
peer = session(kind, url, plan)
peer.connect()
peer.expect("connect")
peer.expect("auth", {})
peer.emit("burst", COUNT)
peer.emit_each("message", range(COUNT))
there = back = 0
while there < COUNT or back < COUNT:
    _, event, args = peer.next(f"the rest after {there} and {back}")
    if event == "n":
        expect(args, [there])
        there += 1
    else:
        expect((event, args), ("message-back", [back]))
        back += 1
expect(peer.call("count"), 1)
peer.expect_nothing()
expect(peer.client.transport(), "polling" if plan == "polling" else "websocket")
peer.end()
print("ok")
