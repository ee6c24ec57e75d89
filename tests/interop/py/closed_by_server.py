"""closed_by_server.py CLIENT URL PLAN: sends `close-me` and prints the reason of the close that follows.

A server that knows the word closes the session. An echo server sends it back; then this prints
`ready`, and whoever started it stops the server; over polling that is to happen while a poll waits.
"""

import queue
import urllib.error
import urllib.request

from session import PATIENCE, arguments, report, session

kind, url, plan = arguments(3)
client = session(kind, url, plan)

# Both the echo and the close are awaited, in whichever order this server has them.
first = queue.Queue()
client.client.on("message", lambda message: first.put(("message", message)))
client.client.on("disconnect", lambda reason: first.put(("close", reason)))
transport = client.transport
client.send("close-me")
event, value = first.get(timeout=PATIENCE)
if event == "message":
    # The next poll is sent; when a request made after it is answered, with whatever, it has arrived.
    client.wait_for_poll()
    try:
        urllib.request.urlopen(url, timeout=PATIENCE).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    report(event="ready", transport=transport)
    event, value = first.get(timeout=PATIENCE)
if event != "close":
    raise AssertionError(f"{event} {value!r} instead of a close")
report(event="close", reason=value)
client.end()
