#!/usr/bin/env python3
"""Files of 1 KiB, 32 KiB and 1 MiB beside nginx with sendfile: CPU of the server per request.

  static.py [--tidegate PATH] [--secs 4] [--repeat 3]

Both have one core; the other has the load. Connections are kept, and the files are in the page cache.
Figures are ratios within one run. Needs Debian's nginx-light and wrk. Traffic stays on loopback; every
process is ended by its pid.
"""
import argparse
import os
import shutil
import tempfile
from pathlib import Path

from tls import HERE, Process, nginx, report, wrk_of

PORTS = {"nginx": 9241, "tidegate": 9242}
FILES = {"1KiB": 1024, "32KiB": 32 * 1024, "1MiB": 1024 * 1024}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tidegate", default=str(HERE.parents[1] / "target/release/tidegate"))
    arguments.add_argument("--secs", type=int, default=4)
    arguments.add_argument("--repeat", type=int, default=3)
    given = arguments.parse_args()
    # On a disk: the time to find a file differs between file systems in memory and others.
    folder = Path(tempfile.mkdtemp(prefix="static-"))
    folder.chmod(0o755)
    try:
        for name, size in FILES.items():
            (folder / name).write_bytes(os.urandom(size))
        for name in FILES:
            lines = {peer: [] for peer in PORTS}
            for _ in range(given.repeat):
                for peer, port in PORTS.items():  # peers take turns, so that drift hits both
                    with Process(command(peer, folder, given.tidegate), port) as process:
                        lines[peer].append(wrk_of(process, f"http://127.0.0.1:{port}/{name}", 64, given.secs))
            report(name, lines)
    finally:
        shutil.rmtree(folder)


def command(peer, folder, tidegate):
    port, pinned = PORTS[peer], ["taskset", "-c", "0"]
    if peer == "tidegate":
        return [*pinned, tidegate, "serve", folder, "--listen", f"127.0.0.1:{port}", "--access-log", "off",
                "--control", "off"]
    return [*pinned, *nginx(folder, f" server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}; }}")]


if __name__ == "__main__":
    main()
