"""What measures speed, outside the tests: `python -m benchmarks`."""
