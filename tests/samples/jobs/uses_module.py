"""A task that pauses inside a module that came through py_modules."""
import json

import ray

from dependency.pricing import with_tax


@ray.remote(num_cpus=0.1)
def price(amount: int) -> int:
    return with_tax(amount)  # call


print("RESULT", json.dumps(ray.get(price.remote(50))))
