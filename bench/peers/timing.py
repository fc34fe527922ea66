"""How all peers that Python calls are timed."""
import time


def best_seconds(run, seconds, least_runs):
    run()  # first touch and lazy set-up
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < least_runs or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best
