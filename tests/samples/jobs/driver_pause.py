"""A breakpoint in the driver itself."""
import json

import ray

ray.init()
answer = 6 * 7
breakpoint()  # driver
print("RESULT", json.dumps(answer))
