"""One measurement of a Python library, in a process of its own: `nninit bench --python PATH` runs it.

    libraries.py torch            writes {"version": …}, or ends with what is missing
    libraries.py torch '{…}'      runs the job, writes {"samples": [nanoseconds an element, …]} or {"unsupported": why}

Each library runs its own best: in place where it can, compiled where it can be, on as many cores as the job grants.
"""

import json
import os
import sys
import time

name = sys.argv[1]
job = json.loads(sys.argv[2]) if len(sys.argv) > 2 else None

if job is not None:
    if job["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job["cores"])
    # Set anew: a shell that has OMP_NUM_THREADS=1 would hold a library to less than it may use.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(job["threads"])
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


# Of a peer's result, so many elements are looked at.
most_checked = 100_000


class Unsupported(Exception):
    pass


def choose(table, fill):
    if fill not in table:
        raise Unsupported(f"no {fill}")
    return table[fill]


def no_orthogonal(fill, dtype, dtypes):
    if fill == "orthogonal" and dtype in dtypes:
        raise Unsupported(f"no orthogonal in {dtype}")


def torch_call(fill, dtype, shape):
    import torch

    torch.set_num_threads(job["threads"])
    torch.set_grad_enabled(False)
    init = torch.nn.init
    call = choose(
        {
            "constant": lambda t: init.constant_(t, 0.5),
            "zeros": init.zeros_,
            "ones": init.ones_,
            "eye": init.eye_,
            "uniform": init.uniform_,
            "normal": init.normal_,
            "trunc_normal": init.trunc_normal_,
            "xavier_uniform": init.xavier_uniform_,
            "orthogonal": init.orthogonal_,
            "sparse": lambda t: init.sparse_(t, 0.1),
        },
        fill,
    )
    no_orthogonal(fill, dtype, ("float16", "bfloat16"))
    tensor = torch.zeros(shape, dtype=getattr(torch, dtype))
    return (lambda: call(tensor)), (lambda: tensor.flatten()[:most_checked].double().numpy())


def numpy_call(fill, dtype, shape):
    import numpy

    if dtype not in ("float32", "float64"):
        raise Unsupported(f"no random {dtype}")
    data = numpy.zeros(shape, dtype=dtype)
    generator = numpy.random.default_rng(0)

    def orthogonal():
        data[...] = numpy.linalg.qr(generator.standard_normal(shape, dtype=dtype))[0]

    call = choose(
        {
            "constant": lambda: data.fill(0.5),
            "zeros": lambda: data.fill(0),
            "ones": lambda: data.fill(1),
            "uniform": lambda: generator.random(out=data, dtype=dtype),
            "normal": lambda: generator.standard_normal(out=data, dtype=dtype),
            "orthogonal": orthogonal,
        },
        fill,
    )
    return call, lambda: data.reshape(-1)[:most_checked].astype("float64")


def jax_call(fill, dtype, shape):
    import jax
    import numpy

    if dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    init = jax.nn.initializers
    make = choose(
        {
            "constant": lambda key: jax.numpy.full(shape, 0.5, dtype),
            "zeros": lambda key: jax.numpy.zeros(shape, dtype),
            "ones": lambda key: jax.numpy.ones(shape, dtype),
            "eye": lambda key: jax.numpy.eye(*shape, dtype=dtype),
            "uniform": lambda key: jax.random.uniform(key, shape, dtype),
            "normal": lambda key: jax.random.normal(key, shape, dtype),
            "trunc_normal": lambda key: jax.random.truncated_normal(key, -2, 2, shape, dtype),
            "xavier_uniform": lambda key: init.glorot_uniform()(key, shape, dtype),
            "orthogonal": lambda key: init.orthogonal()(key, shape, dtype),
        },
        fill,
    )
    no_orthogonal(fill, dtype, ("float16", "bfloat16"))
    compiled = jax.jit(make)
    key = jax.random.key(0)
    last = [None]

    def call():
        last[0] = None  # its memory can be taken again
        last[0] = compiled(key).block_until_ready()

    return call, lambda: numpy.asarray(last[0]).reshape(-1)[:most_checked].astype("float64")


def tensorflow_call(fill, dtype, shape):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    kind = getattr(tf, dtype)
    init = tf.keras.initializers
    make = choose(
        {
            "constant": lambda: tf.fill(shape, tf.constant(0.5, kind)),
            "zeros": lambda: tf.zeros(shape, kind),
            "ones": lambda: tf.ones(shape, kind),
            "eye": lambda: tf.eye(*shape, dtype=kind),
            "uniform": lambda: tf.random.uniform(shape, dtype=kind),
            "normal": lambda: tf.random.normal(shape, dtype=kind),
            "trunc_normal": lambda: tf.random.truncated_normal(shape, dtype=kind),
            "xavier_uniform": lambda: init.GlorotUniform()(shape, dtype=dtype),
            "orthogonal": lambda: init.Orthogonal()(shape, dtype=dtype),
        },
        fill,
    )
    no_orthogonal(fill, dtype, ("bfloat16",))
    # Compiled, constants would be folded into the program, and Keras' initializers would draw their seed once.
    compiled = tf.function(make) if fill in ("uniform", "normal", "trunc_normal") else make
    last = [None]

    def call():
        last[0] = None
        last[0] = compiled()

    return call, lambda: tf.cast(tf.reshape(last[0], [-1])[:most_checked], tf.float64).numpy()


modules = {"torch": torch_call, "numpy": numpy_call, "jax": jax_call, "tensorflow": tensorflow_call}


def moments(fill, shape):
    """Mean and standard deviation of what a fill writes; None where they say nothing, as of sparse matrices."""
    return {
        "constant": (0.5, 0),
        "zeros": (0, 0),
        "ones": (1, 0),
        "uniform": (0.5, 12**-0.5),
        "normal": (0, 1),
        "trunc_normal": (0, 0.8796),
        "xavier_uniform": (0, (2 / sum(shape)) ** 0.5),
        "orthogonal": (0, max(shape) ** -0.5),
    }.get(fill)


def check(fill, shape, values):
    """Roughly, and for bfloat16's sake too: enough to see that the peer did its work."""
    expected = moments(fill, shape)
    if expected is None or len(values) < 10000:
        return
    mean, std = expected
    bound = 0.03 * (std or 1)
    if not (abs(values.mean() - mean) <= bound and abs(values.std() - std) <= bound):
        raise SystemExit(f"{name}'s {fill} has mean {values.mean()} and standard deviation {values.std()}")


def measure(call, elements):
    def run(calls):
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        return (time.perf_counter_ns() - start) / calls

    run(1)  # compiles, allocates
    calls = max(1, min(10000, int(200_000 / max(1, run(1)))))
    samples = []
    begin = time.perf_counter()
    while len(samples) < 3 or (len(samples) < job["rounds"] and time.perf_counter() - begin < job["seconds"]):
        samples.append(run(calls) / elements)
    return samples


if job is None:
    module = __import__(name)
    print(json.dumps({"version": module.__version__}))
else:
    try:
        call, values = modules[name](job["fill"], job["dtype"], job["shape"])
        result = {"samples": measure(call, 2 ** job["log2"])}
        check(job["fill"], job["shape"], values())
    except Unsupported as why:
        result = {"unsupported": str(why)}
    print(json.dumps(result))
