"""The fills of torch.js in PyTorch: writes a line of JSON for each, with the bytes' SHA-256 under seed 0 and the median time."""

import hashlib
import json
import sys
import time

import torch

torch.set_grad_enabled(False)
for job in json.loads(sys.argv[1]):
    tensor = torch.zeros(job["elements"], dtype=getattr(torch, job["dtype"]))
    fill = getattr(torch.nn.init, job["fn"])
    torch.manual_seed(0)
    fill(tensor)
    digest = hashlib.sha256(tensor.view(torch.uint8).numpy()).hexdigest()
    times = []
    for _ in range(job["repeats"]):
        start = time.perf_counter()
        fill(tensor)
        times.append(time.perf_counter() - start)
    print(json.dumps({"sha256": digest, "seconds": sorted(times)[len(times) // 2]}), flush=True)
