"""limit.py CLIENT URL PLAN: messages as large as a maxPayload of 1,000,000 bytes lets through."""

import os

from session import arguments, report, session

LIMIT = 1_000_000
kind, url, plan = arguments(3)
client = session(kind, url, plan)

# A text message travels with its type byte on both transports. A binary one travels bare in a
# WebSocket frame, and over polling as `b` and base64: four bytes for each three.
largest_text = LIMIT - 1
largest_binary = (LIMIT - 1) // 4 * 3 if plan == "polling" else LIMIT

cases = {
    "text": "x" * largest_text,
    "text, one less": "y" * (largest_text - 1),
    "text of four-byte characters": "\U0001f600" * (largest_text // 4),
    "binary": os.urandom(largest_binary),
    "binary, one less": os.urandom(largest_binary - 1),
    "binary, two less": os.urandom(largest_binary - 2),
}
for name, message in cases.items():
    client.send(message)
    got = client.next(f"the echo of {name}")
    if got != message:
        raise AssertionError(f"{name} came back changed, length {len(got)}, not {len(message)}")
client.send("still here")
if client.next() != "still here":
    raise AssertionError("the session is not what it was")
client.expect_nothing_more()
transport = client.transport
reason = client.close()
client.end()
report(largest_text=largest_text, largest_binary=largest_binary, transport=transport, reason=reason)
