#!/usr/bin/env python3
"""Runs the shell blocks of Markdown files as a reader would, in their order.

A ```sh block whose command goes on running is started in the background and waited for until it
says 'listening'; a ```console block holds commands behind '$ ' and what they print, where [..]
stands for anything in a line and a line '...' for any lines. Lines that match --skip are not run.
A file that says so has its commands run in an empty folder.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import threading


def blocks(text):
    return re.findall(r"^```(sh|console)\n(.*?)^```", text, re.M | re.S)


def run_block(command, servers, folder):
    """Runs a block to its end, or until it listens."""
    process = subprocess.Popen(["bash", "-ec", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True, cwd=folder)
    for line in process.stdout:
        print("   ", line, end="")
        if line.startswith("listening "):
            servers.append(process)
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return
    if process.wait():
        sys.exit(f"failed: {command}")


def as_pattern(expected):
    parts = [".*" if line == "..." else re.escape(line).replace(r"\[\.\.\]", ".*") for line in expected]
    pattern = ""
    for line, part in zip(expected, parts):
        pattern += r"(?:.*\n)*?" if line == "..." else part + r"\n"
    return pattern


def run_console(block, folder):
    for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, *expected = step.rstrip("\n").split("\n")
        print("   $", command)
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=folder)
        printed = done.stdout.replace("\r", "")
        if printed and not printed.endswith("\n"):
            printed += "\n"
        # An answer to HEAD ends in an empty line, which Markdown does not show.
        if not re.fullmatch(as_pattern(expected) + r"\n?", printed):
            sys.exit(f"$ {command}\nexpected:\n" + "\n".join(expected) + f"\nprinted:\n{printed}{done.stderr}")


def run_file(file, skip, servers):
    text = open(file).read()
    with tempfile.TemporaryDirectory() as empty:
        folder = empty if "<!-- its commands are run in an empty folder -->" in text else None
        for kind, block in blocks(text):
            print(f"{file}: {block.splitlines()[0]}", flush=True)
            if kind == "console":
                run_console(block, folder)
            elif not skip.search(block):
                run_block(block, servers, folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    parser.add_argument("--skip", default="(?!)", help="commands not to run")
    args = parser.parse_args()
    servers = []
    try:
        for file in args.files:
            run_file(file, re.compile(args.skip, re.M), servers)
    finally:
        for server in servers:
            subprocess.run(["kill", "--", f"-{server.pid}"], check=False)
            server.wait()


main()
