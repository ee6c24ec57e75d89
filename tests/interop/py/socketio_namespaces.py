"""Several namespaces over one connection, refusals with data, time-outs of acknowledgements: socketio_namespaces.py
sync|asyncio URL PLAN"""

import socketio
from socketio_session import arguments, expect, session

kind, url, plan = arguments(3)

# Three at once, each with its own socket.
several = session(kind, url, plan, namespaces=["/", "/custom", "/dyn-77"], auth={"token": "t"})
several.connect()
heard = sorted((several.next() for _ in range(6)), key=lambda event: event[:2])
wanted = [(n, "auth", [{"token": "t"}]) for n in several.namespaces] + [(n, "connect", []) for n in several.namespaces]
expect(heard, sorted(wanted, key=lambda event: event[:2]))
expect(len({several.id(namespace) for namespace in several.namespaces}), 3)
for namespace in several.namespaces:
    several.emit("message", (namespace, b"\x00\x1e"), namespace=namespace)
    several.expect("message-back", namespace, b"\x00\x1e", namespace=namespace)
    expect(several.call("count", namespace=namespace), 1)
    several.emit("ask-me", ("why", b"\x04"), namespace=namespace)
    several.expect("question", "why", b"\x04", namespace=namespace)
    several.expect("answer", "answered", "why", b"\x04", namespace=namespace)

# The server throws it out of one; the others go on.
several.emit("disconnect-me", namespace="/custom")
several.expect("disconnect", several.client.reason.SERVER_DISCONNECT, namespace="/custom")
expect(several.call("message-with-ack", ("x", [1]), namespace="/dyn-77"), ("x", [1]))

# Nobody answers in time, and the client goes on.
for timeout in (0.1, 0.2):
    try:
        several.call("nobody", "x", timeout=timeout)
    except socketio.exceptions.TimeoutError:
        pass
    else:
        raise AssertionError("somebody answered")
expect(several.call("message-with-ack", "in time"), "in time")
several.emit("ask-me-timeout", 20_000)
several.expect("question")
several.expect("answer", "answered")

# Refused, with data where there is some; and one for all.
for namespace, message in (
    ("/reject", {"message": "nope", "data": {"code": 7}}),
    ("/auth", {"message": "unauthorized"}),
    ("/nowhere", {"message": "Invalid namespace"}),
):
    refused = session(kind, url, plan, namespaces=["/dyn-1", namespace], auth={"token": "wrong"})
    try:
        refused.connect()
    except socketio.exceptions.ConnectionError as error:
        assert namespace in str(error) and "/dyn-1" not in str(error), str(error)
    else:
        raise AssertionError(f"{namespace} let somebody in")
    expect(refused.wait_for("connect_error", namespace), [message])
    refused.end()

several.end()
print("ok")
