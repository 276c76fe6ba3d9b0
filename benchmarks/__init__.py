"""Side-by-side measurements: each framework in a process of its own, interleaved, results compared first."""
