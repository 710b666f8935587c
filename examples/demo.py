"""The main job from end to end: a torchvision ResNet-18 is converted, checked, timed and built into a TensorRT plan.

Needs no GPU. Run it with `make demo`.
"""

import statistics
import time
import warnings

import torch
import torchvision

from torch2trt import Error, torch2trt

warnings.simplefilter("ignore")


def milliseconds(functions, rounds=10):
    """Median time of each function. They take turns of a few calls, so that all meet the same disturbances.

    Threads of the one before spin for a while, hence the pause, and one's own are asleep after it, hence a call that
    does not count.
    """
    times = [[] for _ in functions]
    for _ in range(rounds):
        for function, seen in zip(functions, times):
            time.sleep(0.05)
            function()
            for _ in range(3):
                start = time.perf_counter()
                function()
                seen.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(seen) for seen in times]


def main():
    model = torchvision.models.resnet18(weights=None).eval()
    x = torch.randn(1, 3, 224, 224)

    print("1. Convert ResNet-18, and compare with PyTorch on the sample input")
    model_trt = torch2trt(model, [x])
    print(model_trt.report, end="\n\n")

    print("2. Compare on an input the conversion never saw")
    fresh = torch.randn_like(x)
    with torch.no_grad():
        y = model(fresh)
        y_trt = model_trt(fresh)
    print(f"   largest difference {(y - y_trt).abs().max():.1e}, largest output {y.abs().max():.1e}\n")

    print("3. Time both")
    with torch.no_grad():
        ours, eager = milliseconds([lambda: model_trt(fresh), lambda: model(fresh)])
    print(f"   PyTorch {eager:.1f} ms, torch2trt {ours:.1f} ms: {eager / ours:.1f} times faster\n")

    print("4. Build a TensorRT plan for a GPU that is not here (sm_89)")
    try:
        ahead = torch2trt(model, [x], backend="tensorrt", target="sm_89")
    except Error as error:
        if error.code != "E0301":
            raise
        print(f"   {error}")
        return
    print(ahead.report)


if __name__ == "__main__":
    main()
