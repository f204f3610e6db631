"""`python together.py ROUNDS`: an actor whose four threads reach a breakpoint at the same time, so many times."""
import json
import sys
import threading

import ray

THREADS = 4


@ray.remote(num_cpus=0.1, max_concurrency=THREADS)
class Together:
    def __init__(self) -> None:
        self.together = threading.Barrier(THREADS)

    def run(self, rounds: int) -> int:
        done = 0
        for _ in range(rounds):
            self.together.wait()
            breakpoint()
            done += 1  # after
        return done


actor = Together.remote()
print("RESULT", json.dumps(ray.get([actor.run.remote(int(sys.argv[1])) for _ in range(THREADS)])))
