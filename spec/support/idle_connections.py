"""Holds connections open that send nothing, until SIGTERM: idle_connections.py PORT COUNT. Prints
"open" once a request on the last one got a response, or "limit N" if it may not open so many."""
import resource
import signal
import socket
import sys

PORT, COUNT = int(sys.argv[1]), int(sys.argv[2])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if hard != resource.RLIM_INFINITY and hard < COUNT + 100:
    print("limit", hard, flush=True)
    sys.exit()
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, COUNT + 100), hard))
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
connections = []
for number in range(COUNT):
    connections.append(socket.create_connection(("127.0.0.1", PORT)))
last = socket.create_connection(("127.0.0.1", PORT))
last.sendall(REQUEST)
assert last.recv(100).startswith(b"HTTP/1.1 404 ")
print("open", flush=True)
signal.pause()
