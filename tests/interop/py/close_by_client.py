"""close_by_client.py CLIENT URL PLAN: closes by itself and prints the reason that it saw. That its
threads then end shows that the server left none of its requests hanging."""

from session import PATIENCE, arguments, report, session

kind, url, plan = arguments(3)
client = session(kind, url, plan)
report(event="ready", transport=client.transport)
reason = client.close()
if kind == "sync" and client.client.read_loop_task:
    # A daemon thread, so it would not hold up this process.
    client.client.read_loop_task.join(PATIENCE)
    if client.client.read_loop_task.is_alive():
        raise AssertionError("the client still reads after its close")
client.end()
report(event="close", reason=reason)
