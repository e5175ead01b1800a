"""Asks /v1 by its own description, with schemathesis.

    python tools/ask_v1.py http://127.0.0.1:8077 KEY ACCOUNT [EXAMPLES]

Every operation gets examples, values at the edges, random values and sequences of calls that follow from
each other. Answers must have a status, a type and a shape that the description has, and never be a fault.
"""

import os
import subprocess
import sys

address, key, account = sys.argv[1:4]
examples = sys.argv[4] if len(sys.argv) > 4 else "15"

command = [
    os.path.join(os.path.dirname(sys.executable), "schemathesis"),
    "run",
    f"{address}/v1/openapi.json",
    "--header", f"X-Api-Key: {key}",
    "--header", f"X-Account-Id: {account}",
    "--phases", "examples,coverage,fuzzing,stateful",
    "--checks", "all",
    # What a description cannot say is refused although it fits it: a cursor of another list, a word that is
    # no country, an account that was closed meanwhile.
    "--exclude-checks", "positive_data_acceptance,negative_data_rejection",
    "--max-examples", examples,
    "--workers", "2",
    "--seed", "1",
    "--request-timeout", "10",
    "--continue-on-failure",
    "--warnings", "off",
    "--no-color",
]
hooks = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ask_v1_hooks.py")
sys.exit(subprocess.run(command, env=os.environ | {"SCHEMATHESIS_HOOKS": hooks}).returncode)
