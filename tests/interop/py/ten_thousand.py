"""ten_thousand.py CLIENT URL PLAN: 10,000 messages each way, once each and in order.

On plan `upgrade` 3,000 of them are posted before the upgrade, by hand because the client sends
nothing before it, and their echoes have to cross it; the other 7,000 are queued in the client while
it still polls.
"""

import time

from session import arguments, report, session

COUNT = 10_000
BY_HAND = 3_000

kind, url, plan = arguments(3)
messages = [
    f"text {i} \U0001f600" if i < BY_HAND or i % 5 else f"binary {i}".encode() for i in range(COUNT)
]
started = time.monotonic()
if plan == "upgrade":
    client = session(
        kind,
        url,
        plan,
        post_before_upgrade=messages[:BY_HAND],
        queue_before_upgrade=messages[BY_HAND:],
    )
else:
    client = session(kind, url, plan)
    client.send_all(messages)

for i, expected in enumerate(messages):
    got = client.next(f"echo {i}")
    if got != expected:
        raise AssertionError(f"message {i} should be {expected!r}, is {got!r}")

# A message delivered twice would arrive before this one's echo.
client.send("the end")
if client.next() != "the end":
    raise AssertionError("more came than was sent")
client.expect_nothing_more()
milliseconds = round((time.monotonic() - started) * 1000)
transport = client.transport
client.close()
client.end()
report(received=client.received, transport=transport, ms=milliseconds)
