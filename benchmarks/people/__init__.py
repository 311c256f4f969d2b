"""What is measured on real people: `python -m benchmarks.people`."""
