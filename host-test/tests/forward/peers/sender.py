"""The Python library's client: sends JSON lines of standard input to the port that it is given, without acknowledgements."""

import json
import sys

from fluent import sender

logger = sender.FluentSender("cloud", host="127.0.0.1", port=int(sys.argv[1]), nanosecond_precision=True)
for line in sys.stdin:
    if not logger.emit("trail", json.loads(line)):
        sys.exit(str(logger.last_error))
logger.close()
