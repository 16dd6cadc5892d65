#!/usr/bin/env python3
"""TLS beside nginx and HAProxy: CPU of the proxy per request, connection and MiB, in one run.

  tls.py [--tidegate PATH] [--peers nginx,haproxy,tidegate] [--only NAME,...] [--secs 4] [--repeat 3]

All peers have the same certificate (ECDSA P-256), one core, and one plain origin (light.c). The other
core has the load. Figures are ratios within one run: absolute ones drift with the machine. Needs
Debian's nginx-light, haproxy, wrk, openssl and gcc. Traffic stays on loopback, and every process that
is started here is ended here, by its pid.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")
ORIGIN = 9200
PORTS = {"nginx": 9201, "haproxy": 9202, "tidegate": 9203}

# The part of a configuration that all comparisons share.
HAPROXY = """
global
 nbthread 1
 maxconn 7900
defaults
 mode http
 timeout client 300s
 timeout server 300s
 timeout connect 5s
 option http-keep-alive
 http-reuse always
"""


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tidegate", default=str(HERE.parents[1] / "target/release/tidegate"))
    arguments.add_argument("--peers", default="nginx,haproxy,tidegate")
    arguments.add_argument("--only", default=",".join(SCENARIOS))
    arguments.add_argument("--secs", type=int, default=4)
    arguments.add_argument("--repeat", type=int, default=3)
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tls-", dir="/dev/shm"))
    folder.chmod(0o755)
    try:
        make_certificate(folder)
        subprocess.run(["gcc", "-O2", "-o", folder / "light", HERE / "light.c"], check=True)
        for name in given.only.split(","):
            run, cached = SCENARIOS[name]
            lines = {peer: [] for peer in given.peers.split(",")}
            control = "max-age=3600" if cached else "no-store"
            with Process(["taskset", "-c", "1", folder / "light", ORIGIN, 1024, control, 0], ORIGIN):
                for _ in range(given.repeat):
                    for peer in lines:  # peers take turns, so that drift hits all of them
                        with Process(command(peer, folder, given.tidegate), PORTS[peer]) as process:
                            lines[peer].append(run(process, PORTS[peer], given.secs))
            report(name, lines)
    finally:
        shutil.rmtree(folder)


def report(name, lines, judged="tidegate"):
    """Prints the medians of each peer, and how the `judged` one compares with the better of the others."""
    medians = {
        peer: {key: statistics.median(line[key] for line in of) for key in of[0]}
        for peer, of in lines.items()
    }
    for peer, figures in medians.items():
        print(name, peer, json.dumps({key: round(value, 3) for key, value in figures.items()}), flush=True)
    others = [figures for peer, figures in medians.items() if peer != judged]
    if judged in medians and others:
        for key, value in medians[judged].items():
            best = min(figures[key] for figures in others)
            if key != "rate" and best:
                print(name, "ratio", key, round(value / best, 3), flush=True)


class Process:
    """A process, and those that it starts, until the end of the block."""

    def __init__(self, argv, port):
        self.argv, self.port = [str(word) for word in argv], port

    def __enter__(self):
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(self.argv, stdout=quiet, stderr=quiet)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{self.argv} does not listen")

    def __exit__(self, *_):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):  # its parent has ended it
                os.kill(pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def pids(self):
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                left += [int(child) for child in task.read_text().split()]
        return found

    def cpu(self):
        """Returns the CPU time of user and system so far, in seconds."""
        stats = (Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.pids())
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICK

    def memory(self):
        """Returns the proportional set size in bytes."""
        rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids())
        return sum(int(re.search(r"Pss:\s+(\d+)", text).group(1)) for text in rollups) * 1024


def make_certificate(folder):
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())


def nginx(folder, http):
    """Returns the command of nginx with one worker, and with `http` in that section."""
    config = folder / "nginx.conf"
    config.write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err; worker_rlimit_nofile 20000;
events {{ worker_connections 20000; multi_accept on; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 300;
 client_body_temp_path {folder}/b; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/f;
 uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
{http} }}""")
    return ["/usr/sbin/nginx", "-c", config, "-p", folder]


def command(peer, folder, tidegate):
    port, pinned = PORTS[peer], ["taskset", "-c", "0"]
    if peer == "tidegate":
        return [*pinned, tidegate, "--listen-tls", f"127.0.0.1:{port}", "--to", f"http://127.0.0.1:{ORIGIN}",
                "--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem",
                "--cache-memory", "256MiB", "--access-log", "off", "--control", "off"]
    if peer == "nginx":
        return [*pinned, *nginx(folder, f"""
 open_file_cache max=100000 inactive=300s; open_file_cache_valid 300s;
 proxy_cache_path {folder}/cache levels=1:2 keys_zone=z:64m max_size=256m inactive=1h use_temp_path=off;
 upstream o {{ server 127.0.0.1:{ORIGIN}; keepalive 512; keepalive_requests 100000000; }}
 proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache z; proxy_cache_lock on;
 ssl_session_cache shared:s:10m; ssl_protocols TLSv1.2 TLSv1.3;
 server {{ listen 127.0.0.1:{port} ssl backlog=4096; ssl_certificate {folder}/cert.pem;
  ssl_certificate_key {folder}/key.pem; location / {{ proxy_pass http://o; }}
  location /size/1024/m {{ proxy_pass http://o; proxy_cache_lock off; }} }}""")]
    config = folder / "haproxy.cfg"
    config.write_text(f"""{HAPROXY}cache c
 total-max-size 256
 max-object-size 2097152
 max-age 3600
frontend f
 bind 127.0.0.1:{port} ssl crt {folder}/both.pem alpn http/1.1 backlog 4096
 http-request cache-use c
 http-response cache-store c
 default_backend b
backend b
 server o 127.0.0.1:{ORIGIN}
""")
    return [*pinned, "/usr/sbin/haproxy", "-f", config, "-db"]


def wrk(process, port, path, connections, secs, close=False):
    """Loads a path by wrk over TLS. Returns requests a second, and CPU microseconds for each."""
    fetch(port, path)
    return wrk_of(process, f"https://127.0.0.1:{port}{path}", connections, secs, close)


def wrk_of(process, url, connections, secs, close=False):
    """Loads a URL by wrk. Returns requests a second, and CPU microseconds for each."""
    fields = ["-H", "Connection: close"] if close else []
    before = process.cpu()
    done = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{secs}", *fields,
         url], capture_output=True, text=True, timeout=secs + 60)
    used = process.cpu() - before
    requests = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))
    if "Non-2xx" in done.stdout or not requests:
        raise SystemExit(f"requests failed:\n{done.stdout}")
    return {"rate": rate, "us_per_request": used / requests * 1e6}


def fetch(port, path):
    """Fetches a path twice, so that it is stored."""
    for _ in range(2):
        subprocess.run(["curl", "-sk", "--noproxy", "*", "-o", "/dev/null", "-m", "20",
                        f"https://127.0.0.1:{port}{path}"], check=True)


def resumed(process, port, secs):
    """Connects again and again by the same session, with one request each."""
    fetch(port, "/size/1024/r")
    before = process.cpu()
    done = subprocess.run(
        ["taskset", "-c", "1", "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-reuse",
         "-www", "/size/1024/r", "-time", str(secs)], capture_output=True, text=True, timeout=secs + 60)
    used = process.cpu() - before
    count, real = re.search(r"(\d+) connections in (\d+) real seconds", done.stdout).groups()
    return {"rate": int(count) / max(1, int(real)), "us_per_connection": used / int(count) * 1e6}


def idle(process, port, _secs, count=2000):
    """Opens connections, each idle after one hit. Returns the memory of each in the process."""
    fetch(port, "/size/1024/i")
    before, context, sockets = process.memory(), ssl._create_unverified_context(), []
    request = b"GET /size/1024/i HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(count):
        secure = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5))
        secure.sendall(request)
        received = 0
        while received < 1024:
            received += len(secure.recv(65536))
        sockets.append(secure)
    used = process.memory() - before
    for secure in sockets:
        secure.close()
    return {"bytes_per_connection": used / count}


def hit(size, connections):
    return lambda process, port, secs: wrk(process, port, f"/size/{size}/h", connections, secs)


SCENARIOS = {
    "hit1k": (hit(1024, 64), True),
    "pass1k": (lambda process, port, secs: wrk(process, port, "/size/1024/m", 64, secs), False),
    "bulk1m": (hit(1 << 20, 16), True),
    "new": (lambda process, port, secs: wrk(process, port, "/size/1024/n", 32, secs, close=True), True),
    "resumed": (resumed, True),
    "idle": (idle, True),
}

if __name__ == "__main__":
    main()
