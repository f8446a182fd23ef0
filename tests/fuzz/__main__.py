"""Fuzz everything that reads files: ``python -m tests.fuzz --cases 10000``."""

from __future__ import annotations

import argparse
import math
import sys
import time

from tests.fuzz.run import fuzz
from tests.fuzz.targets import SHARES, TARGETS


def main() -> int:
    """Run, print a table; 1 where there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="in all, shared by the targets")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", choices=list(TARGETS), help="one target")
    options = parser.parse_args()
    shares = {options.only: 1.0} if options.only else SHARES
    findings = []
    for target, share in shares.items():
        began = time.monotonic()
        outcome = fuzz(target, math.ceil(options.cases * share), options.first)
        findings += outcome.findings
        seconds = time.monotonic() - began
        print(f"{target}: {dict(outcome.counts)}, {seconds:.0f} s", flush=True)
        for finding in outcome.findings[:20]:
            print(f"  case {finding.seed}: {finding.what}", flush=True)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
