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

from tls import HERE, Process, report, wrk_of

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
    config = folder / "nginx.conf"
    config.write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err; worker_rlimit_nofile 20000;
events {{ worker_connections 20000; multi_accept on; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 300;
 client_body_temp_path {folder}/b; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/f;
 uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
 server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}; }} }}""")
    return [*pinned, "/usr/sbin/nginx", "-c", config, "-p", folder]


if __name__ == "__main__":
    main()
