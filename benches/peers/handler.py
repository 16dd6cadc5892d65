#!/usr/bin/env python3
"""An application that answers with 1 KiB, beside a hit of the same size: CPU of the proxy per request.

  handler.py [--secs 4] [--repeat 3]

The program is benches/src/bin/handler.rs, on one core; the other has the load. Figures are ratios within
one run. Needs Debian's wrk, and

  cargo build --manifest-path benches/Cargo.toml --profile bench --bin handler --target-dir target/benches
"""
import argparse

from tls import HERE, Process, report, wrk_of

PROGRAM = HERE.parents[1] / "target/benches/release/handler"
PORT = 9231


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--secs", type=int, default=4)
    arguments.add_argument("--repeat", type=int, default=3)
    given = arguments.parse_args()
    for judged in ["loop", "threads"]:
        lines = {"hit": [], judged: []}
        for _ in range(given.repeat):
            for path in lines:  # in turns, so that drift hits both
                with Process(["taskset", "-c", "0", PROGRAM, f"127.0.0.1:{PORT}"], PORT) as process:
                    lines[path].append(wrk_of(process, f"http://127.0.0.1:{PORT}/{path}", 64, given.secs))
        report("handler", lines, judged=judged)


if __name__ == "__main__":
    main()
