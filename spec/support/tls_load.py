"""Posts to a server of TLS, each time on a new connection, until SIGTERM; then prints how many
got 200, and what went wrong: tls_load.py PORT CA_FILE THREADS."""
import http.client
import json
import signal
import ssl
import sys
import threading

PORT, CA_FILE, THREADS = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ended = threading.Event()
lock = threading.Lock()
counts = {"responded": 0, "failed": 0, "problem": None}


def post(number):
    # other settings of TLS in each thread
    context = ssl.create_default_context(cafile=CA_FILE)
    context.maximum_version = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)[number % 2]
    connection = http.client.HTTPSConnection("127.0.0.1", PORT, context=context, timeout=60)
    body = json.dumps({"data": {"webhook_action": "login.success"}})
    try:
        connection.request("POST", "/webhooks/palenca", body)
        response = connection.getresponse()
        response.read()
        return None if response.status == 200 else str(response.status)
    except (OSError, http.client.HTTPException) as problem:
        return repr(problem)
    finally:
        connection.close()


def run(number):
    while not ended.is_set():
        problem = post(number)
        with lock:
            counts["failed" if problem else "responded"] += 1
            counts["problem"] = counts["problem"] or problem
            first = counts["responded"] + counts["failed"] == 1
        if first:
            print("started", flush=True)


signal.signal(signal.SIGTERM, lambda *_: ended.set())
threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
ended.wait()
for thread in threads:
    thread.join()
print(json.dumps(counts))
