#!/usr/bin/env python3
"""Requests passed to a group of four origins, beside nginx and HAProxy: CPU of the proxy per request.

  group.py [--tidegate PATH] [--only NAME,...] [--secs 4] [--repeat 3]

`pass` balances requests among four origins. `sites` passes requests of one site among 10,000, and
`members` to a group of 1,000, of which 996 are backups; both are
compared with tidegate's own figure for four members and no sites. All peers have one core; the other
has the load and the origins (light.c). Figures are ratios within one run. Needs Debian's nginx-light,
haproxy, wrk and gcc. Traffic stays on loopback; every process is ended by its pid.
"""
import argparse
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tls import HAPROXY, HERE, Process, nginx, report, wrk_of

ORIGINS = [9210, 9211, 9212, 9213]
PORTS = {"nginx": 9221, "haproxy": 9222, "tidegate": 9223, "sites": 9224, "members": 9225}
SCENARIOS = {"pass": ["nginx", "haproxy", "tidegate"], "sites": ["tidegate", "sites"], "members": ["tidegate", "members"]}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tidegate", default=str(HERE.parents[1] / "target/release/tidegate"))
    arguments.add_argument("--only", default=",".join(SCENARIOS))
    arguments.add_argument("--secs", type=int, default=4)
    arguments.add_argument("--repeat", type=int, default=3)
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="group-", dir="/dev/shm"))
    folder.chmod(0o755)
    try:
        subprocess.run(["gcc", "-O2", "-o", folder / "light", HERE / "light.c"], check=True)
        with ExitStack() as stack:
            for port in ORIGINS:
                origin = ["taskset", "-c", "1", folder / "light", port, 1024, "no-store", 0]
                stack.enter_context(Process(origin, port))
            for name in given.only.split(","):
                lines = {peer: [] for peer in SCENARIOS[name]}
                for _ in range(given.repeat):
                    for peer in lines:  # peers take turns, so that drift hits all of them
                        with Process(command(peer, folder, given.tidegate), PORTS[peer]) as process:
                            url = f"http://127.0.0.1:{PORTS[peer]}/size/1024/m"
                            lines[peer].append(wrk_of(process, url, 64, given.secs))
                report(name, lines, judged=SCENARIOS[name][-1])
    finally:
        shutil.rmtree(folder)


def command(peer, folder, tidegate):
    port, pinned = PORTS[peer], ["taskset", "-c", "0"]
    if peer == "nginx":
        servers = " ".join(f"server 127.0.0.1:{origin};" for origin in ORIGINS)
        return [*pinned, *nginx(folder, f"""
 upstream o {{ {servers} keepalive 512; keepalive_requests 100000000; }}
 proxy_http_version 1.1; proxy_set_header Connection "";
 server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://o; }} }}""")]
    if peer == "haproxy":
        config = folder / "haproxy.cfg"
        servers = "".join(f" server o{origin} 127.0.0.1:{origin}\n" for origin in ORIGINS)
        config.write_text(f"""{HAPROXY}frontend f
 bind 127.0.0.1:{port} backlog 4096
 default_backend b
backend b
 balance roundrobin
{servers}""")
        return [*pinned, "/usr/sbin/haproxy", "-f", config, "-db"]
    common = [*pinned, tidegate, "--access-log", "off", "--control", "off"]
    members = [f"http://127.0.0.1:{origin}" for origin in ORIGINS]
    if peer == "tidegate":
        group = [word for member in members for word in ("--to", member)]
        return [*common, "--listen", f"127.0.0.1:{port}", *group]
    config = folder / f"{peer}.toml"
    lines = [f"listen = '127.0.0.1:{port}'", "[[origin]]", "name = 'app'"]
    if peer == "members":
        # Backups get no requests as long as a primary is up.
        members += [f"http://127.1.{at // 250}.{at % 250 + 1}:9219 backup" for at in range(996)]
    lines += [f"to = {members!r}", "[[site]]", "hosts = '127.0.0.1'", "to = 'app'"]
    if peer == "sites":
        for at in range(10_000):
            lines += ["[[site]]", f"hosts = ['www{at}.example', '*.s{at}.example']", "to = 'app'"]
    config.write_text("\n".join(lines))
    return [*common, "--config", config]


if __name__ == "__main__":
    main()
