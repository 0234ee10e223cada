"""A receiver as people write it with Flask: an event is a row, committed before the response."""
import json
import os
import sqlite3
import threading

from flask import Flask, request

app = Flask(__name__)
local = threading.local()


def database():
    if not hasattr(local, "db"):
        local.db = sqlite3.connect(os.environ["BENCH_DB"], timeout=30)
        local.db.execute("PRAGMA journal_mode = WAL")
        local.db.execute("PRAGMA synchronous = FULL")
        local.db.execute(
            "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, account TEXT, body BLOB)"
        )
    return local.db


@app.post("/webhooks/palenca")
def receive():
    body = request.get_data()
    account = json.loads(body)["data"]["account_id"]
    with database() as db:
        db.execute("INSERT INTO events(account, body) VALUES (?, ?)", (account, body))
    return {"received": True}
