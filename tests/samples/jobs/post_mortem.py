"""A task that fails; with RAY_DEBUG_POST_MORTEM=1 Ray pauses it where it raised."""
import ray


@ray.remote(num_cpus=0.1, max_retries=0)
def fails(x: int) -> float:
    zero = 0
    return x / zero  # raise


ray.get(fails.remote(7))
