"""The medians of target/bench/*.jsonl as a table, and how Branchline compares with Kannel."""

import json
import os
import statistics
import sys

rows = []
for name in ("kannel-speed.jsonl", "branchline-speed.jsonl"):
    path = os.path.join(sys.argv[1], name)
    if os.path.exists(path):
        with open(path) as f:
            rows += [json.loads(line) for line in f]

runs = {}
for r in rows:
    if r["n"] < 5000:
        continue  # the warming up
    if r["peer"] == "kannel":
        # It calls back twice a message: when the SMSC took it, and when it was delivered. Only the
        # second one is the end.
        states = r["sink"]["states"]
        what, booked = f"kannel, store {r['store']}", r["sink"]["callbacks_per_s"] * states.get("1", 0) / max(sum(states.values()), 1)
    else:
        what = f"branchline, {r['database']}" + (", quickack" if r["quickack"] else "") + (
            f", {r['accounts']} accounts" if r["accounts"] > 1 else "")
        booked = r["smsc"]["dlr_acks_per_s"]
    runs.setdefault((r["batch"], what, r["c"], r["n"]), []).append((r, booked))


def median(values):
    return statistics.median(values)


print("| recipients | what | connections | messages | accepted/s | p50 ms | p99 ms | end to end/s | memory MiB | others' cores |")
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
best = {}
for (batch, what, c, n), of in sorted(runs.items(), key=lambda kv: (kv[0][0], kv[0][2], kv[0][1], kv[0][3])):
    load = [r["load"] for r, _ in of]
    memory = [sum(v["rss_mib"] for v in r["use"]["peer"].values()) for r, _ in of]
    accepted = [r.get("accepted_per_s", r["load"]["accepted_per_s"]) for r, _ in of]
    p99 = [r.get("p99_ms", r["load"]["latency"]["p99_ms"]) for r, _ in of]
    end = median([b for _, b in of])
    best.setdefault((batch, c), {}).setdefault(what, []).append(end)
    print(f"| {batch} | {what} | {c} | {n} | {median(accepted):.0f} | "
          f"{median([l['latency']['p50_ms'] for l in load])} | {median(p99)} | {end:.0f} | "
          f"{median(memory):.0f} | {median([r['use']['others_cores'] for r, _ in of])} |")
print()
for (batch, c), by in sorted(best.items()):
    ours = by.get("branchline, sqlite")
    for what, values in sorted(by.items()):
        if ours and what.startswith("kannel"):
            print(f"{batch} recipients, {c} connections: {median(ours) / median(values):.1f} times {what}")
        if ours and what == "branchline, postgres":
            print(f"{batch} recipients, {c} connections: PostgreSQL {median(values) / median(ours):.0%} of SQLite")
