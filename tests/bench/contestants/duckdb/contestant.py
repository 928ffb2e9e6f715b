"""DuckDB as a contestant: one scan over typed columns on one thread; the six seeds' predicates, counted.

Speaks the protocol of ../../protocol. Columns that no predicate reads are not declared, so DuckDB skips them.
"""
import json
import os
import resource
import sys
import time

COLUMNS = """{
    eventName: 'VARCHAR', eventType: 'VARCHAR', errorCode: 'VARCHAR', errorMessage: 'VARCHAR', awsRegion: 'VARCHAR',
    sourceIPAddress: 'VARCHAR', userAgent: 'VARCHAR', readOnly: 'BOOLEAN',
    userIdentity: 'STRUCT("type" VARCHAR, accessKeyId VARCHAR)', responseElements: 'STRUCT(ConsoleLogin VARCHAR)'}"""

# The inet extension would have to be fetched; an address is what holds only its characters.
ADDRESS = r"regexp_full_match(sourceIPAddress, '[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*')"

PREDICATES = {
    "aef45d2e-5e10-4b84-97ea-caf4807197e0": f"""errorCode = 'AccessDenied' AND {ADDRESS}
        AND coalesce(eventName NOT IN ('DescribeEventAggregates', 'ListResourceTags'), true)""",
    "f4076464-0ae9-4a36-a147-1df07fd893a4": """starts_with(userIdentity.accessKeyId, 'AKIA')
        AND coalesce(errorCode, '') = '' AND coalesce(errorMessage, '') = ''""",
    "2b71091e-79ba-46a3-8723-08061687b2f9": """lower(userIdentity."type") = 'iamuser'
        AND (lower(errorCode) IN ('accessdenied', 'operationnotpermittedexception') OR contains(lower(errorCode), 'unauthorized'))""",
    "b0493f28-47bf-425f-9b8a-61cc32d62444": """lower(errorCode) = 'accessdenied' AND lower(userIdentity."type") = 'iamuser'
        AND NOT ends_with(lower(userAgent), '.amazonaws.com')""",
    "8218eb3b-3fd2-4d33-b4a6-dab867a44140": """lower(eventType) = 'awsapicall' AND lower(userIdentity."type") = 'assumedrole'
        AND (lower(errorCode) = 'success'
             OR (errorCode IS NULL AND coalesce(responseElements.ConsoleLogin, '') <> 'Failure'))""",
    "b0ce4164-58af-43f8-9ddf-d20937c94648": """awsRegion IN ('ap-east-1', 'eu-west-3', 'eu-central-1') AND readOnly = false""",
}


def answer(message):
    print(json.dumps(message), flush=True)


def main():
    job = json.loads(sys.stdin.readline())
    os.sched_setaffinity(0, {job["core"]})
    try:
        import duckdb
    except ImportError as error:
        answer({"rules": 0, "refused": f"{error}", "notes": []})
        return
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET preserve_insertion_order = false")
    counts = ", ".join(f"count(*) FILTER ({predicate})" for predicate in PREDICATES.values())
    source = f"read_json('{job['data']}', format = 'newline_delimited', columns = {COLUMNS})"
    query = f"SELECT count(*), {counts} FROM {source}"
    answer({"rules": len(PREDICATES), "refused": None, "notes": [f"version {duckdb.__version__}"]})
    size = os.path.getsize(job["data"])
    for line in sys.stdin:
        assert line.strip() == "pass", line
        cpu, wall = time.process_time(), time.monotonic()
        row = connection.execute(query).fetchone()
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        tally = {
            "events": row[0],
            "bytes": size,
            "output_bytes": 0,
            "matches": {rule: count for rule, count in zip(PREDICATES, row[1:]) if count},
            "alerts": 0,
            "measured": None,
            "rss_bytes": None,
        }
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer({"tally": tally, "cpu_seconds": cpu, "thread_seconds": cpu, "wall_seconds": wall, "rss_bytes": rss})


main()
