"""What is timed takes turns, so that what disturbs one disturbs all."""
import time

import numpy as np
from tqdm import tqdm

REST = 0.15  # seconds between the turns: BLAS's threads stay awake after their work, and disturbed others for over 0.05


def medians(contestants, seconds, least=5):
    """The median seconds of a step of each, who take turns of several steps; at least so many turns."""
    turn = {}
    for key, step in tqdm(contestants.items(), desc="warm up", unit="method"):
        for _ in range(3):
            start = time.perf_counter()
            step()
        turn[key] = 10 if "K-FAC" in key else max(1, min(10, round(0.2 / (time.perf_counter() - start))))
    taken, began = {key: [] for key in contestants}, time.perf_counter()
    with tqdm(total=round(seconds), desc="measure", unit="s") as bar:
        while time.perf_counter() - began < seconds or min(map(len, taken.values())) <= least:
            for key, step in contestants.items():
                time.sleep(REST)
                step()
                start = time.perf_counter()
                for _ in range(turn[key]):
                    step()
                taken[key].append((time.perf_counter() - start) / turn[key])
            bar.n = min(round(time.perf_counter() - began), bar.total)
            bar.refresh()
    return {key: float(np.median(times[1:])) for key, times in taken.items()}
