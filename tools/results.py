#!/usr/bin/env python3
"""Adds up what the parts of tools/test found.

  results.py bazel BUILD_EVENTS OUT.json    the cases of every test Bazel ran
  results.py note OUT.json NAME STATUS [TEXT]  one result: passed, failed or skipped
  results.py sum DIR                        prints failures, skips and the last line

A result file is {"passed": [name], "failed": [[name, text]], "skipped": [[name, reason]]}.
"""

import glob
import json
import os
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


def empty():
    return {"passed": [], "failed": [], "skipped": []}


def add_case(result, target, case):
    name = f"{target} {case.get('classname', '')}.{case.get('name', '')}"
    problem = case.find("failure")
    if problem is None:
        problem = case.find("error")
    skipped = case.find("skipped")
    if problem is not None:
        result["failed"].append([name, (problem.get("message") or problem.text or "").strip()])
    elif skipped is not None or case.get("result") == "skipped":
        text = "" if skipped is None else skipped.get("message") or skipped.text or ""
        lines = [line for line in text.strip().splitlines() if line]
        # GoogleTest puts file and line before the reason.
        result["skipped"].append([name, lines[-1] if lines else "no reason given"])
    elif case.get("status") == "notrun" or case.get("result") == "suppressed":
        pass
    else:
        result["passed"].append(name)


def read_xml(result, target, path):
    """The cases of one test.xml; their number."""
    try:
        tree = ElementTree.parse(path)
    except (OSError, ElementTree.ParseError):
        return 0
    cases = list(tree.iter("testcase"))
    for case in cases:
        add_case(result, target, case)
    return len(cases)


def read_bazel(events_path):
    result, seen = empty(), set()
    with open(events_path, encoding="utf-8") as events:
        for line in events:
            event = json.loads(line)
            if "testResult" in event:
                target = event["id"]["testResult"]["label"]
                outcome = event["testResult"]
                cases, before = 0, len(result["failed"])
                for output in outcome.get("testActionOutput", []):
                    if output["name"] == "test.xml":
                        path = urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
                        cases = read_xml(result, target, path)
                seen.add(target)
                failed = outcome.get("status") not in ("PASSED", "FLAKY")
                # A crash or a timeout has a status but no case that says so.
                if failed and len(result["failed"]) == before:
                    result["failed"].append([target, outcome.get("status", "no status")])
                elif cases == 0 and not failed:
                    result["passed"].append(target)
            elif "testSummary" in event and event["id"]["testSummary"]["label"] not in seen:
                label = event["id"]["testSummary"]["label"]
                if event["testSummary"].get("overallStatus") not in ("PASSED", "FLAKY"):
                    result["failed"].append([label, event["testSummary"].get("overallStatus", "")])
            elif event.get("id", {}).get("targetCompleted") and event.get("aborted"):
                label = event["id"]["targetCompleted"]["label"]
                result["failed"].append([label, "does not build"])
    return result


def write(path, result):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)


def add_up(directory):
    total = empty()
    for path in sorted(glob.glob(os.path.join(directory, "*.json"))):
        with open(path, encoding="utf-8") as f:
            part = json.load(f)
        for key, items in total.items():
            items.extend(part.get(key, []))
    if total["skipped"]:
        print("\nSkipped:")
        for name, reason in total["skipped"]:
            print(f"  {name}: {reason}")
    if total["failed"]:
        print("\nFailed:")
        for name, text in total["failed"]:
            print(f"  {name}")
            for line in text.splitlines()[-12:]:
                print(f"      {line}")
    print(
        f"\n{len(total['passed'])} passed, {len(total['failed'])} failed, {len(total['skipped'])} skipped"
    )
    return 1 if total["failed"] or not total["passed"] else 0


def main():
    verb, *args = sys.argv[1:]
    if verb == "bazel":
        events, out = args
        write(out, read_bazel(events))
    elif verb == "note":
        out, name, status, *text = args
        result = empty()
        result[status].append(name if status == "passed" else [name, " ".join(text)])
        write(out, result)
    elif verb == "sum":
        sys.exit(add_up(*args))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
