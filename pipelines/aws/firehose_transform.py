"""A Lambda function for a Firehose transformation: hands the request to `tripwasm serve` and the answer back.

Environment: TRIPWASM_URL, such as https://tripwasm.internal:8443, and TRIPWASM_TOKEN. An error makes Firehose try again.
"""

import json
import os
import urllib.request


def handler(event, _context):
    request = urllib.request.Request(
        os.environ["TRIPWASM_URL"] + "/firehose/transform",
        json.dumps(event).encode(),
        {"Authorization": "Bearer " + os.environ["TRIPWASM_TOKEN"]},
    )
    with urllib.request.urlopen(request, timeout=50) as response:
        return json.load(response)
