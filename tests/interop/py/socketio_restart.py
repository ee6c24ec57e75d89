"""The server goes away without a word and comes back: socketio_restart.py sync|asyncio URL PLAN"""

import urllib.request

from socketio_session import arguments, expect, session

kind, url, plan = arguments(3)
attempts = 0


def auth():
    """Asked for again for each connection."""
    global attempts
    attempts += 1
    return {"attempt": attempts}


peer = session(
    kind,
    url,
    plan,
    namespaces=["/", "/custom"],
    auth=auth,
    reconnection=True,
    reconnection_delay=0.1,
    reconnection_delay_max=0.3,
    randomization_factor=0,
)
peer.connect()
before = {}
for namespace in peer.namespaces:
    before[namespace] = peer.id(namespace)
while True:
    namespace, event, args = peer.next("auth of both")
    if (namespace, event) == ("/custom", "auth"):
        break
expect(peer.call("join", "room"), None)
expect(peer.call("who")["rooms"], ["room"])
attempts_before = attempts
urllib.request.urlopen(f"{url}/__restart?down=400", timeout=20).read()
reasons = peer.wait_for("disconnect")
expect(reasons, [peer.client.reason.TRANSPORT_ERROR])
peer.wait_for("connect", "/custom")
[again] = peer.wait_for("auth", "/custom")
assert again["attempt"] > attempts_before, again
for namespace in peer.namespaces:
    assert peer.id(namespace) not in (None, before[namespace])
expect(peer.call("who")["rooms"], [])
expect(peer.call("message-with-ack", ("still", b"here")), ("still", b"here"))
peer.end()
print("ok")
