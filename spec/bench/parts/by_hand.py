"""What one would write with requests: without a session, as the vendor's example does, or with one.
by_hand.py URL CA ACCOUNT ROWS_A_PAGE session|none; prints the seconds and the number of rows."""
import sys
import time

import requests

url, ca, account, per_page, kind = sys.argv[1:]
began = time.monotonic()
caller = requests.Session() if kind == "session" else requests
rows, page, pages = [], 0, 1
while page < pages:
    page += 1
    response = caller.post(
        f"{url}/v1/accounts/{account}/earnings/search",
        headers={"x-api-key": "bench"},
        json={
            "start_date": "2020-01-01",
            "end_date": "2026-01-01",
            "options": {"page": page, "items_per_page": int(per_page)},
        },
        verify=ca,
        timeout=30,
    ).json()
    rows += response["data"]["earnings"]
    pages = response["pagination"]["total_pages"]
print(time.monotonic() - began, len(rows))
