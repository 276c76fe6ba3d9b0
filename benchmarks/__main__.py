"""`make bench`: every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import first_step, overhead, training

if __name__ == "__main__":
    raise SystemExit(overhead.main() | training.main([]) | first_step.main())
