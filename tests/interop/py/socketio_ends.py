"""Who ends it, and what either side is told: socketio_ends.py sync|asyncio URL PLAN WAY

WAY: `client` leaves by itself; `namespace` and `connection` are how the server throws it out; `stop` waits for the server's
end."""

from socketio_session import arguments, expect, session

kind, url, plan, way = arguments(4)
peer = session(kind, url, plan)
peer.connect()
peer.expect("connect")
print("ready", flush=True)
reason = peer.client.reason
if way == "client":
    peer.call("ping")
    peer.disconnect()
    peer.expect("disconnect", reason.CLIENT_DISCONNECT)
elif way == "stop":
    # A close packet in both cases. Without reconnection that is the end.
    expect(peer.wait_for("disconnect"), [reason.SERVER_DISCONNECT])
else:
    peer.emit("throw-out", way == "connection")
    expect(peer.wait_for("disconnect"), [reason.SERVER_DISCONNECT])
peer.end()
print("ok")
