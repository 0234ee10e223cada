"""Holds a listening socket for a server and hears its notifications, as systemd does: for specs.

socket_holder.py [--unix PATH] [--watchdog SECONDS] [--sockets N] PROGRAM ARGUMENT…

Starts the program with the socket, or with N of it; at each SIGHUP ends it and starts it again; at
SIGTERM ends it and itself. Prints a line for each of what happens: "listening HOST:PORT", "started
PID", "ended STATUS", and "notified …" with the lines of a notification. SPEC_PRELOAD becomes the
program's LD_PRELOAD.
"""
import os
import signal
import socket
import sys
import tempfile
import threading

FIRST_PASSED = 3


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def listen(path):
    if path is not None:
        held = socket.socket(socket.AF_UNIX)
        held.bind(path)
    else:
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        say("listening 127.0.0.1:%d" % held.getsockname()[1])
    held.listen(1024)
    return held


def hear(notified):
    while True:
        say("notified " + notified.recv(65536).decode().replace("\n", " "))


def start(command, held, environment):
    pid = os.fork()
    if pid > 0:
        say("started %d" % pid)
        return pid
    own = dict(environment, LISTEN_PID=str(os.getpid()), WATCHDOG_PID=str(os.getpid()))
    if "SPEC_PRELOAD" in own:
        own["LD_PRELOAD"] = own["SPEC_PRELOAD"]
    for i in range(int(own["LISTEN_FDS"])):
        os.dup2(held.fileno(), FIRST_PASSED + i)
        os.set_inheritable(FIRST_PASSED + i, True)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execve(command[0], command, own)


def stop(pid):
    os.kill(pid, signal.SIGTERM)
    say("ended %d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def main():
    command, path, environment = sys.argv[1:], None, dict(os.environ, LISTEN_FDS="1")
    while command[0].startswith("--"):
        option, value, command = command[0], command[1], command[2:]
        if option == "--unix":
            path = value
        elif option == "--sockets":
            environment["LISTEN_FDS"] = value
        else:
            environment["WATCHDOG_USEC"] = str(int(float(value) * 1e6))
    signals = {signal.SIGHUP, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with tempfile.TemporaryDirectory() as directory:
        notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        environment["NOTIFY_SOCKET"] = directory + "/notified"
        notified.bind(environment["NOTIFY_SOCKET"])
        threading.Thread(target=hear, args=(notified,), daemon=True).start()
        held = listen(path)
        pid = start(command, held, environment)
        while signal.sigwait(signals) == signal.SIGHUP:
            stop(pid)
            pid = start(command, held, environment)
        stop(pid)


main()
