"""`tidegate top`: the view of a running proxy, in terminals of tmux."""

import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from harness import BINARY, DEADLINE, Case

SIZES = [(80, 24), (120, 40)]
COLOUR = r"\x1b\[[34]([0-7]|8;)"
KEYS = "q quit  Tab/1-6 panes  p pause  s sort  / filter  arrows scroll  ? help"


class Screen:
    """A terminal of tmux, in which a shell runs. The server of tmux has a socket of its own."""

    def __init__(self, folder, columns, rows):
        self.socket = folder / "tmux"
        environment = {**os.environ, "TMUX_TMPDIR": str(folder)}
        for name in ("TMUX", "NO_COLOR"):
            environment.pop(name, None)
        self.environment = environment
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "sh")

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", str(self.socket), *args], env=self.environment, timeout=DEADLINE,
                              capture_output=True, text=True, check=True).stdout

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def wait(self, shows, *options):
        """Returns the text of the terminal once it satisfies `shows`."""
        end = time.monotonic() + DEADLINE
        while not shows(text := self.text(*options)):
            if time.monotonic() > end:
                raise AssertionError(text)
            time.sleep(0.02)
        return text

    def wait_for(self, *parts):
        return self.wait(lambda text: all(part in text for part in parts))

    @property
    def is_full_screen(self):
        return self.tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    def stop(self):
        self.tmux("kill-server")


class Top(Case):
    def setUp(self):
        self.control = self.folder() / "c.sock"
        self.origin = self.start_origin()
        self.proxy = self.start()

    def start(self, *args):
        return self.start_proxy("--to", self.origin.url, "--control", str(self.control), *args)

    def run_top(self, *args, **process):
        return subprocess.run([BINARY, "top", "--control", str(self.control), *args], capture_output=True, text=True,
                              timeout=DEADLINE, stdin=subprocess.DEVNULL, **process)

    def open(self, columns, rows, before=""):
        screen = Screen(self.folder(), columns, rows)
        self.addCleanup(screen.stop)
        screen.type(f"{before}{BINARY} top --control {self.control}; echo ended with $?", "Enter")
        screen.wait_for("REQUESTS", KEYS)
        return screen

    def test_without_terminal_says_what_to_do(self):
        done = self.run_top()
        self.assertEqual(done.returncode, 2)
        self.assertIn("needs a terminal", done.stderr)
        self.assertIn("top --once", done.stderr)

    def test_without_proxy_names_the_socket(self):
        self.proxy.stop()
        done = self.run_top("--once")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"no answer from a running tidegate at {self.control}", done.stderr)

    def test_one_frame_is_text(self):
        for path in ["/bytes/10", "/bytes/10", "/raw/10"]:
            self.curl(self.proxy.url + path)
        done = self.run_top("--once")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)
        rows = [line.split() for line in lines]
        self.assertIn(["hit", "0.0", "-", "1", "hit", "ratio"], [row[:6] for row in rows])
        self.assertIn(["all", "0.0", "-", "3"], rows)
        self.assertIn("log disk: not watched", done.stdout)
        self.assertNotIn("\x1b", done.stdout)
        denied = self.run_top("--once", "--pane", "denied").stdout
        self.assertRegex(denied, r"(?s)DENIED .*NOT STORED .*no-store")

    @unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
    def test_panes_and_keys_in_both_sizes(self):
        for columns, rows in SIZES:
            with self.subTest(columns=columns):
                screen = self.open(columns, rows)
                self.assertTrue(screen.is_full_screen)
                self.curl(self.proxy.url + "/bytes/10")
                screen.wait(lambda text: re.search(r"^all +[\d.]+ .*[1-9]\d*\b", text, re.M))
                for key, title in [("2", "URLS"), ("3", "CLIENTS"), ("4", "NOT STORED"), ("5", "SLOW REQUESTS"),
                                   ("6", "ORIGINS"), ("Tab", "LATENCY")]:
                    screen.type(key)
                    screen.wait_for(title, KEYS)
                screen.type("?")
                screen.wait_for("Any key continues.")
                screen.type("x", "p")
                screen.wait_for("PAUSED")
                screen.type("q")
                screen.wait_for("ended with 0")
                self.assertFalse(screen.is_full_screen)

    @unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
    def test_terminal_of_another_size_is_filled(self):
        screen = self.open(80, 24)
        screen.tmux("resize-window", "-x", "120", "-y", "40")
        screen.wait(lambda text: len(text.split("\n")) > 39 and text.split("\n")[39].startswith("q quit"))
        screen.wait_for("URLS")

    @unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
    def test_restart_of_the_proxy_is_said(self):
        screen = self.open(80, 24)
        self.proxy.stop()
        screen.wait_for("NO ANSWER, trying again", "q quit  no answer from a running tidegate")
        self.start()
        screen.wait_for("live, the proxy was restarted")

    @unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
    def test_signal_restores_the_terminal(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            screen = self.open(*SIZES[0])
            shell = screen.tmux("display-message", "-p", "#{pane_pid}").strip()
            child = subprocess.run(["ps", "-o", "pid=", "--ppid", shell], capture_output=True, text=True, check=True)
            os.kill(int(child.stdout.split()[0]), number)
            screen.wait_for(f"ended with {128 + number}")
            self.assertFalse(screen.is_full_screen)
            screen.type("stty -a", "Enter")
            screen.wait(lambda text: re.search(r" icanon\b", text) and re.search(r"(?<!-)\becho\b", text))

    @unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
    def test_colours_are_left_out_on_request(self):
        coloured = self.open(80, 24).text("-e")
        self.assertRegex(coloured, COLOUR)
        plain = self.open(80, 24, before="NO_COLOR=1 ").text("-e")
        self.assertNotRegex(plain, COLOUR)


if __name__ == "__main__":
    unittest.main()
