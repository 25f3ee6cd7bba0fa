#!/usr/bin/env python3
"""Writes docs/conformance.md from expected.toml."""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]

import expected  # noqa: E402

if __name__ == "__main__":
    with open(expected.DOCUMENT, "w", encoding="utf-8") as f:
        f.write(expected.Expected().document())
