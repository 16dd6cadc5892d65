"""The disk of the access log: its metrics, and the warning before it is full."""

import os
import shutil
import subprocess
import unittest

from harness import BINARY, DEADLINE, Case


class Disk(Case):
    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("mount"), "only root can mount a file system")
    def test_full_disk_is_reported_once_and_counted(self):
        folder = self.folder()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=100", "tmpfs", str(folder)],
                                 check=False, capture_output=True, timeout=DEADLINE)
        if mounted.returncode != 0:
            self.skipTest("the kernel permits no mount")
        self.addCleanup(subprocess.run, ["umount", "-l", str(folder)], check=True, timeout=DEADLINE)
        control = self.folder() / "c.sock"
        origin = self.start_origin()
        proxy = self.start_proxy("--to", origin.url, "--control", str(control), "--access-log", str(folder / "log"))

        def metrics():
            done = subprocess.run([BINARY, "stats", "--control", str(control)], capture_output=True, text=True,
                                  check=True, timeout=DEADLINE)
            words = (line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
            return {name: value for name, value in words if name.startswith("disk_")}

        self.wait_until(lambda: metrics().get("disk_free_bytes log"))
        found = metrics()
        self.assertLessEqual(int(found["disk_free_bytes log"]), 1 << 20)
        self.assertLess(int(found["disk_free_inodes log"]), 100)
        self.assertNotIn("disk_full_seconds log", found)
        (folder / "filling").write_bytes(bytes(int(found["disk_free_bytes log"])))
        self.wait_until(lambda: metrics().get("disk_full_seconds log") == "0")
        self.wait_until(lambda: proxy.said)
        lines = [line for line in proxy.said if "is full" in line]
        self.assertEqual(len(lines), 1, proxy.said)
        self.assertIn(f"the disk of the access log, {folder}, is full, by its bytes; ", lines[0])
        (folder / "filling").unlink()
        self.wait_until(lambda: metrics().get("disk_full_seconds log") is None)


if __name__ == "__main__":
    unittest.main()
