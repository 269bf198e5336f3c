"""What `benchmarks/performance_page.py` measures and how it says so."""
