"""Metrics, as the readers of Prometheus and OpenMetrics take them, and the state of the proxy for its keepers."""

import shutil
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

from harness import DEADLINE, Case

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, if Python is another one
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
    from prometheus_client.parser import text_string_to_metric_families as read_prometheus
except ImportError:
    read_open_metrics = read_prometheus = None

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


class Metrics(Case):
    def setUp(self):
        self.origin = self.start_origin()
        self.proxy = self.start_proxy("--to", self.origin.url, "--admin", "127.0.0.1:0", "--cache-memory", "8MiB",
                                      "--max-clients", "100")
        line = next(line for line in self.proxy.banner if line.startswith("  metrics "))
        self.admin = line.split()[1].removesuffix("/metrics")
        for path in ["/bytes/10", "/bytes/10", "/raw/10"]:
            self.curl(self.proxy.url + path)

    def get(self, path, accept="*/*"):
        asked = urllib.request.Request(self.admin + path, headers={"Accept": accept})
        with urllib.request.urlopen(asked, timeout=DEADLINE) as answer:
            return answer.headers["Content-Type"], answer.read().decode()

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_finds_no_fault(self):
        _, text = self.get("/metrics")
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    @unittest.skipUnless(read_open_metrics, "the client library of Prometheus is not installed")
    def test_client_library_reads_both_formats_alike(self):
        media_type, text = self.get("/metrics")
        self.assertIn("version=0.0.4", media_type)
        plain = self.samples(read_prometheus(text))
        media_type, text = self.get("/metrics", f"{OPEN_METRICS}, text/plain;q=0.5")
        self.assertIn(OPEN_METRICS, media_type)
        self.assertTrue(text.endswith("# EOF\n"))
        both = self.samples(read_open_metrics(text))
        self.assertEqual(sorted(plain), sorted(both))
        for name, value in [("tidegate_responses_total{'status': '200'}", 3),
                            ("tidegate_requests_total{'result': 'hit'}", 1),
                            ("tidegate_not_stored_total{'reason': 'no-store'}", 1),
                            ("tidegate_request_duration_seconds_count{'result': 'hit'}", 1),
                            ("tidegate_origin_first_byte_seconds_count{}", 2),
                            ("tidegate_cache_limit_bytes{}", 8 << 20), ("tidegate_clients_limit{}", 100),
                            ("tidegate_clients_full_total{}", 0)]:
            self.assertEqual(both[name], value, name)
        for name in ["process_open_fds", "process_max_fds", "process_resident_memory_bytes", "process_cpu_seconds_total",
                     "process_virtual_memory_bytes", "process_start_time_seconds", "tidegate_uptime_seconds",
                     "tidegate_client_received_bytes_total", "tidegate_client_sent_bytes_total",
                     "tidegate_origin_received_bytes_total", "tidegate_origin_sent_bytes_total"]:
            self.assertGreater(both[name + "{}"], 0, name)
        self.assertEqual(sum(name.startswith("tidegate_build_info{'version'") for name in both), 1)

    def samples(self, families):
        return {f"{sample.name}{sample.labels}": sample.value for family in families for sample in family.samples}

    def test_keepers_learn_whether_the_proxy_serves(self):
        self.assertEqual(self.get("/healthz")[1], "ok\n")
        self.assertEqual(self.get("/readyz")[1], "ready\n")
        for path, data, status in [("/nothing", None, 404), ("/metrics", b"", 405)]:
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(self.admin + path, data=data, timeout=DEADLINE)
            self.assertEqual(refused.exception.code, status)
            refused.exception.close()


if __name__ == "__main__":
    unittest.main()
