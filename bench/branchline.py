"""Branchline against peerbench's SMSC simulator, in the same way as its drivers measure others.

    branchline.py [--database sqlite|postgres] [-n 20000] [-c 1 16 64] [--batch 1] [--accounts 1] [--quickack]

A request counts from HTTP to the delivery report that is booked: the server acknowledges a report
to the SMSC only after its transaction has been committed, so the SMSC's count of acknowledged
reports is the count of booked ones."""

import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEERBENCH_HOME = os.environ.get("PEERBENCH_HOME", os.path.join(os.path.dirname(ROOT), "shared", "peerbench"))
sys.path.insert(0, os.path.join(PEERBENCH_HOME, "drivers"))
sys.dont_write_bytecode = True

from common import *  # noqa: E402,F403

PROGRAM = os.environ.get("BRANCHLINE", os.path.join(ROOT, "target", "release", "branchline"))
HTTP = 28077


def config(a):
    d = fresh("branchline")
    database = f"sqlite:{d}/branchline.db" if a.database == "sqlite" else os.environ["BRANCHLINE_BENCH_POSTGRES"]
    path = f"{d}/branchline.toml"
    with open(path, "w") as f:
        f.write(
            f'listen = "127.0.0.1:{HTTP}"\ndatabase = "{database}"\ndata = "{d}"\n'
            f'[[carrier]]\nname = "sim"\nkind = "smpp"\naddress = "127.0.0.1:{SMSC_PORT}"\nsystem_id = "bench"\n'
            f'password = "bench"\nsessions = {a.sessions}\nwindow = {a.window}\n'
            '[[route]]\ncarrier = "sim"\npriority = 1\n')
    with open(f"{d}/prices.csv", "w") as f:
        f.write("country,price\nDE,0.075\n")
    return d, path


def command(path, *args):
    out = subprocess.run([PROGRAM, *args, "--config", path, "--json"], capture_output=True, text=True)
    if out.returncode:
        raise SystemExit(out.stderr or out.stdout)
    return json.loads(out.stdout)


def up(own, a):
    start_smsc(own, *(["--quickack"] if a.quickack else []), *(["--dlr-delay-ms", str(a.dlr_delay)] if a.dlr_delay else []))
    d, path = config(a)
    command(path, "prices", "import", f"{d}/prices.csv")
    keys = []
    for n in range(a.accounts):
        account = command(path, "account", "create", "--company", f"Bench {n}", "--email", f"bench{n}@example.com",
                          "--credits", "1000000.00")
        keys.append(command(path, "key", "create", "--account", str(account["id"]))["key"])
    own.start("branchline", [PROGRAM, "serve", "--config", path], log=f"{d}/out.log", env={**os.environ, "BRANCHLINE_LOG": "warn"})
    wait_port(HTTP)
    wait_bound(a.sessions)
    return path, keys


def run(a):
    own = Own()
    rows = []
    try:
        path, keys = up(own, a)
        first = [491_700_000_000]

        def once(c, n):
            was = quiet(seconds=a.quiet)
            get(f"http://127.0.0.1:{SMSC_CONTROL}/reset")
            m = Meter(own, [own.procs["branchline"].pid])
            to = "%ITEMS%" if a.batch > 1 else "%NUMBER%"
            body = json.dumps({"to": to, "from": "BENCH", "text": "A short message of a usual length %TS% to measure 0123456789 0123456789"})
            begun = time.time()
            # With several accounts each gets its share of the connections at the same time.
            shares = [(key, max(1, c // len(keys)), n // len(keys)) for key in keys]
            loads, procs = [], []
            for i, (key, share, count) in enumerate(shares):
                argv = [BIN, "load", f"http://127.0.0.1:{HTTP}/api/sms", "--method", "POST", "-H", f"X-Api-Key: {key}",
                        "-H", "Accept: application/json", "-H", "Content-Type: application/json", "--body", body,
                        "-c", str(share), "-n", str(count), "--batch", str(a.batch), "--item", "%NUMBER%", "--item-sep", ",",
                        "--first-number", str(first[0]), "--seconds", "120", "--ok-match", '"success":"100"']
                p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
                prefer(p.pid)
                procs.append(p)
                first[0] += count
            for p in procs:
                out, err = p.communicate()
                if p.returncode:
                    raise SystemExit(err)
                loads.append(json.loads(out))
            accepted = sum(r["accepted"] for r in loads)
            settle(lambda: smsc_stats()["dlr_acked"] >= accepted, lambda: (smsc_stats()["submits"], smsc_stats()["dlr_acked"]), 180, 10)
            ended = time.time()
            s = smsc_stats()
            use = m.stop(sum(r["cpu_secs"] for r in loads))
            row = {"peer": "branchline", "database": a.database, "c": c, "batch": a.batch, "n": n, "accounts": a.accounts,
                   "sessions": a.sessions, "window": a.window, "quickack": a.quickack, "busy_before": was, "load": loads[0],
                   "accepted": accepted, "accepted_per_s": sum(r["accepted_per_s"] for r in loads),
                   "p99_ms": max(r["latency"]["p99_ms"] for r in loads), "end_to_end_per_s": round(accepted / (ended - begun)), "smsc": s, "use": use}
            return row

        once(16, 2000)
        for c in a.c:
            for _ in range(a.repeat):
                row = once(c, a.n if c > 1 else min(a.n, a.n1))
                rows.append(row)
                record(os.path.join(a.results, "branchline-speed.jsonl"), row)
                r, s = row["load"], row["smsc"]
                say("branchline", a.database, "c", c, "batch", a.batch, "accounts", a.accounts, "accepted", row["accepted"],
                    "accept/s", round(row["accepted_per_s"]), "p50", r["latency"]["p50_ms"], "p99", row["p99_ms"], "submit/s",
                    s["submits_per_s"], "booked/s", s["dlr_acks_per_s"], "end to end/s", row["end_to_end_per_s"],
                    "rss", {k: v["rss_mib"] for k, v in row["use"]["peer"].items()}, "cores",
                    {k: v["cores"] for k, v in row["use"]["peer"].items()}, "others", row["use"]["others_cores"])
        own.stop("branchline")
        if a.check:
            say("check", command(path, "check"))
    finally:
        own.stop_all()
    return rows


p = argparse.ArgumentParser()
p.add_argument("--database", default="sqlite", choices=["sqlite", "postgres"])
p.add_argument("-n", type=int, default=20000)
p.add_argument("--n1", type=int, default=5000, help="messages of a run with one connection")
p.add_argument("-c", type=int, nargs="+", default=[1, 16, 64])
p.add_argument("--batch", type=int, default=1, help="recipients in one request")
p.add_argument("--accounts", type=int, default=1)
p.add_argument("--sessions", type=int, default=2)
p.add_argument("--window", type=int, default=100)
p.add_argument("--dlr-delay", type=int, default=0)
p.add_argument("--quickack", action="store_true")
p.add_argument("--repeat", type=int, default=3)
p.add_argument("--quiet", type=float, default=20, help="seconds to wait for a quiet machine")
p.add_argument("--check", action="store_true", help="run branchline check at the end")
p.add_argument("--results", default=os.path.join(ROOT, "target", "bench"))
if __name__ == "__main__":
    run(p.parse_args())
