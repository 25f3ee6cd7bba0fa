#!/usr/bin/env python3
"""Runs one suite and writes what became of each test as JSON.

  runner.py [--json FILE] [--keep-logs DIR] test_crictl [test_crictl.Suite.test_x ...]

The exit code is 0 if nothing failed. tools/test adds the numbers up.
"""

import argparse
import json
import os
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "conformance")]


class Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.passed, self.skips, self.bad = [], [], []
        self._began = time.monotonic()

    def startTest(self, test):
        self._began = time.monotonic()
        super().startTest(test)

    def _note(self, word, test, reason=""):
        took = time.monotonic() - self._began
        print(f"{word:5} {test.id()} ({took:.1f} s){': ' if reason else ''}{reason}", flush=True)

    def addSuccess(self, test):
        self.passed.append(test.id())
        self._note("ok", test)

    def addSkip(self, test, reason):
        self.skips.append([test.id(), reason])
        self._note("skip", test, reason)

    def _bad(self, test, err, detail=""):
        text = detail + self._exc_info_to_string(err, test)
        # One failed test, whatever number of its parts failed.
        for known in self.bad:
            if known[0] == test.id():
                known[1] += text
                break
        else:
            self.bad.append([test.id(), text])
        self._note("FAIL", test)
        print(text, flush=True)

    def addError(self, test, err):
        self._bad(test, err)

    def addFailure(self, test, err):
        self._bad(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._bad(test, err, f"{subtest._subDescription()}\n")

    def addExpectedFailure(self, test, err):
        self._bad(test, err)

    def addUnexpectedSuccess(self, test):
        self.passed.append(test.id())

    def wasSuccessful(self):
        return not self.bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--keep-logs", metavar="DIR")
    parser.add_argument("names", nargs="+")
    args = parser.parse_args()
    if args.keep_logs:
        os.environ["CRISP_KEEP_LOGS"] = args.keep_logs

    # Told to stop, the nodes are still taken down (harness.py does so at exit).
    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    suite = unittest.defaultTestLoader.loadTestsFromNames(args.names)
    stream = open(os.devnull, "w", encoding="utf-8")
    result = unittest.TextTestRunner(stream=stream, resultclass=Result, verbosity=0).run(suite)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"passed": result.passed, "failed": result.bad, "skipped": result.skips}, f)
    print(f"{len(result.passed)} passed, {len(result.bad)} failed, {len(result.skips)} skipped")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
