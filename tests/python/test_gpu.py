"""The TensorRT engine on a GPU: streams, threads, captures, graphs, files, and the errors of calls.

Skipped where no GPU or no TensorRT that builds for it is there. Runs without pytest too:

    python -m unittest -v tests/python/test_gpu.py
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock

import torch

import torch2trt as package
from torch2trt import Error, TRTModule, torch2trt


def _reason() -> str | None:
    if not torch.cuda.is_available():
        return "no GPU"
    from torch2trt.backend import choose
    from torch2trt.file import load_options

    backend, why = choose("auto", None, load_options(), [torch.zeros(1, device="cuda")], None)
    return None if backend == "tensorrt" else why


_LOADS = """
import sys, torch, torch2trt
folder, library, trusted = sys.argv[1:]
args, expected = torch.load(folder + "/call.pt")
try:
    made = torch2trt.load(folder + "/net.engine", tensorrt=library, trusted=trusted == "True")
except torch2trt.Error as refused:
    print(refused.code, refused)
else:
    worst = max((made(*args)[name] - expected[name]).abs().max().item() for name in expected)
    print(made.report.engine, "same" if worst < 1e-4 else f"off by {worst}")
"""

SKIP = _reason()
BATCH = 8


class Net(torch.nn.Module):
    """Small, with two inputs, two outputs, and a convolution, a reduction and a product in it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 16, 3, padding=1)
        self.linear = torch.nn.Linear(16, 10)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
        features = torch.relu(self.conv(x)).mean((2, 3))
        return {"logits": self.linear(features) + bias, "features": features}


def sample(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(batch, 3, 16, 16, device="cuda"), torch.randn(batch, 10, device="cuda")


@unittest.skipIf(SKIP, SKIP or "")
class OnTheGpu(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        # Plans of an earlier run would hide that this one cannot build.
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        setting = unittest.mock.patch.dict(os.environ, TORCH2TRT_CACHE=folder.name)
        setting.start()
        cls.addClassCleanup(setting.stop)
        cls.model = Net().cuda().eval()
        ranges = {"min_shapes": [(1, 3, 16, 16), (1, 10)], "max_shapes": [(BATCH, 3, 16, 16), (BATCH, 10)]}
        cls.made = {
            mode: torch2trt(cls.model, sample(4), use_cuda_graph=mode, progress=False, **ranges)
            for mode in (False, True, "auto")
        }

    def agree(
        self, made: TRTModule, args: tuple[torch.Tensor, ...], got: dict[str, torch.Tensor] | None = None
    ) -> None:
        with torch.no_grad():
            expected = self.model(*args)
        got = made(*args) if got is None else got
        for name in ("logits", "features"):
            torch.testing.assert_close(got[name], expected[name], rtol=5e-3, atol=5e-3)

    def test_results_agree_at_every_shape_and_repeatedly(self) -> None:
        for mode, made in self.made.items():
            for batch in (1, BATCH, 3, 3, 3, 1, 1, 1, BATCH):
                with self.subTest(mode=mode, batch=batch):
                    self.agree(made, sample(batch))

    def test_results_of_earlier_calls_stay(self) -> None:
        for made in self.made.values():
            calls = [sample(2) for _ in range(10)]
            results = [made(*args) for args in calls]
            for args, got in zip(calls, results):
                self.agree(made, args, got)

    def test_new_values_at_the_same_addresses_are_read_anew(self) -> None:
        for mode, made in self.made.items():
            x, bias = sample(3)
            out = made.run([x, bias])
            for call in range(30):  # from some call on, by a graph that reads and writes right there
                x.normal_(), bias.normal_()
                made.run([x, bias], out=out)
                with self.subTest(mode=mode, call=call):
                    self.agree(made, (x, bias), dict(zip(("logits", "features"), out)))

    def test_lengths_of_sequences_stay_in_host_memory(self) -> None:
        class Packed(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = torch.nn.GRU(4, 6, batch_first=True)

            def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
                packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
                return self.layer(packed)[1]

        model = Packed().cuda().eval()
        drawn = lambda: (torch.randn(3, 7, 4, device="cuda"), torch.randint(1, 8, (3,)))  # noqa: E731
        made = torch2trt(model, drawn(), backend="tensorrt", progress=False)
        with tempfile.TemporaryDirectory() as folder:
            made.save(folder + "/net.engine")
            for converted in (made, package.load(folder + "/net.engine"), copy.deepcopy(made)):
                for _ in range(4):
                    x, lengths = drawn()
                    with torch.no_grad():
                        torch.testing.assert_close(converted(x, lengths), model(x, lengths), rtol=5e-3, atol=5e-3)
                with self.assertRaises(Error) as refused:
                    converted(x.cpu(), lengths)
                self.assertEqual(refused.exception.code, "E0404")

    def test_a_model_is_built_once(self) -> None:
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3)).cuda().eval()
        x = torch.randn(2, 3, 16, 16, device="cuda")
        with tempfile.TemporaryDirectory() as cache:
            options = {"backend": "tensorrt", "progress": False, "engine_cache": cache}
            made = lambda **more: torch2trt(model, [x], **{**options, **more})  # noqa: E731
            kept = lambda made: "earlier" in dict(made.report.plan)["build"]  # noqa: E731
            files = lambda: sorted(os.listdir(cache))  # noqa: E731
            first, second = made(), made()
            self.assertEqual((kept(first), kept(second), len(files())), (False, True, 1))
            self.assertTrue(torch.equal(first(x), second(x)))
            with self.subTest("every option and weight counts"):
                self.assertFalse(kept(made(max_batch_size=4)) or kept(made(fp16_mode=True)))
                self.assertFalse(kept(made(engine_cache=False)))
                with torch.no_grad():
                    model[0].weight += 1
                    changed = made()
                    self.assertFalse(kept(changed))
                    torch.testing.assert_close(changed(x), model(x), rtol=5e-3, atol=5e-3)
            with self.subTest("the model's own types"):
                # TensorRT 8.6 has int32 only, and gets the same for both.
                for dtype in (torch.int64, torch.int32):
                    ids = torch.arange(4, device="cuda", dtype=dtype)
                    doubled = torch2trt(lambda x: x * 2, [ids], backend="tensorrt", progress=False, engine_cache=cache)
                    self.assertTrue(torch.equal(doubled(ids), ids * 2) and doubled(ids).dtype == dtype)
            with self.subTest("damage"):
                for name in files():
                    path = os.path.join(cache, name)
                    os.truncate(path, os.path.getsize(path) - 1)
                self.assertFalse(kept(made()))
                self.assertTrue(kept(made()))

    def test_every_option_of_a_build(self) -> None:
        options = {
            "max_workspace_size": 1 << 28,
            "optimization_level": 2,
            "avg_timing_iterations": 2,
            "build_threads": 2,
        }
        for more in ({"hardware_compatible": True}, {"tactic_sources": ["EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"]}):
            with self.subTest(more=more), tempfile.TemporaryDirectory() as folder:
                made = torch2trt(
                    self.model,
                    sample(4),
                    backend="tensorrt",
                    progress=False,
                    timing_cache=folder + "/timings",
                    **options,
                    **more,
                )
                self.agree(made, sample(4))
                self.assertEqual(os.listdir(folder), ["timings"])
                made.save(folder + "/net.engine")
                built = package.inspect(folder + "/net.engine")["built"]
                self.assertEqual(built["hardware_compatible"], "hardware_compatible" in more)

    def test_int8_has_the_numbers_of_the_cpu_engine(self) -> None:
        conv = torch.nn.Conv2d
        model = torch.nn.Sequential(
            conv(3, 32, 3),
            torch.nn.ReLU(),
            conv(32, 32, 3),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(4608, 10),
        )
        samples = [[torch.randn(2, 3, 16, 16)] for _ in range(8)]
        options = {"int8_mode": True, "int8_calib_dataset": samples, "progress": False}
        exact = torch2trt(model.eval(), samples[0], backend="cpu", **options)
        for half in (False, True):
            made = torch2trt(
                copy.deepcopy(model).cuda(), [samples[0][0].cuda()], backend="tensorrt", fp16_mode=half, **options
            )
            self.assertEqual(made.report.int8_layers, 3)
            x = torch.randn(2, 3, 16, 16)
            wanted, got = exact(x), made(x.cuda()).cpu()
            with self.subTest(half=half):
                self.assertLess((wanted - got).abs().max().item() / wanted.abs().max().item(), 3e-2)

    def test_float16_of_residual_networks_is_as_accurate_as_pytorchs(self) -> None:
        """In the root mean square over a few inputs: the largest difference of one input is a matter of luck."""
        import torchvision

        def off(wanted: torch.Tensor, got: torch.Tensor) -> float:
            return ((wanted.double() - got.double()).pow(2).mean() / wanted.double().pow(2).mean()).sqrt().item()

        model = torchvision.models.resnet18().cuda().eval()
        xs = [torch.randn(1, 3, 224, 224, device="cuda") for _ in range(6)]
        with torch.no_grad():
            wanted = [model(x) for x in xs]
            made = torch2trt(model, xs[:1], fp16_mode=True, backend="tensorrt", progress=False)
            ours = sum(off(w, made(x)) for w, x in zip(wanted, xs))
            model.half()
            theirs = sum(off(w, model(x.half())) for w, x in zip(wanted, xs))
        self.assertLess(ours, 2 * theirs)

    def test_streams_of_the_caller_are_used(self) -> None:
        for mode, made in self.made.items():
            for _ in range(5):
                made(*sample(4))  # captures, where it does, wait for the GPU
            for _ in range(5):
                stream = torch.cuda.Stream()
                with torch.cuda.stream(stream):
                    torch.cuda._sleep(10_000_000)
                    x, bias = sample(4)
                    got = made(x, bias)
                    self.assertFalse(stream.query(), f"{mode}: the call waited for the GPU")
                stream.synchronize()
                self.agree(made, (x, bias), got)

    def test_threads_with_streams_of_their_own(self) -> None:
        failures: list[BaseException] = []
        calls = [sample(1 + k % BATCH) for k in range(4 * BATCH)]
        with torch.no_grad():
            expected = [self.model(*args) for args in calls]
        torch.cuda.synchronize()

        def work(made: TRTModule, first: int) -> None:
            try:
                with torch.cuda.stream(torch.cuda.Stream()), torch.inference_mode():
                    worst = torch.zeros((), device="cuda")
                    for k in range(first, first + 1000):
                        got, wanted = made(*calls[k % len(calls)]), expected[k % len(calls)]
                        for name in wanted:
                            worst = torch.maximum(worst, (got[name] - wanted[name]).abs().max())
                    self.assertLess(worst.item(), 5e-3)
            except BaseException as failure:
                failures.append(failure)

        for mode, made in self.made.items():
            threads = [threading.Thread(target=work, args=(made, k)) for k in range(8)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            self.assertFalse(failures, mode)

    def test_device_memory_is_flat(self) -> None:
        for mode, made in self.made.items():
            args = sample(4)
            for _ in range(50):
                made(*args)
            torch.cuda.synchronize()
            before = torch.cuda.mem_get_info()[0]
            for _ in range(10_000):
                made(*args)
            torch.cuda.synchronize()
            self.assertLess(before - torch.cuda.mem_get_info()[0], 4 << 20, mode)

    def test_a_callers_capture_holds_the_call(self) -> None:
        for mode, made in self.made.items():
            x, bias = sample(4)
            side = torch.cuda.Stream()
            with torch.cuda.stream(side):
                made(x, bias)
            torch.cuda.current_stream().wait_stream(side)
            graphs = []
            for _ in range(2):
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    got = made(x * 2, bias)
                graphs.append((graph, got))
            for graph, got in graphs * 3:
                fresh = sample(4)
                x.copy_(fresh[0]), bias.copy_(fresh[1])
                graph.replay()
                # Other calls do not disturb the memory that the graph works in.
                self.agree(made, sample(4))
                self.agree(made, (x * 2, bias), got)
            self.assertTrue(mode in self.made)

    def test_a_capture_needs_no_call_before_it(self) -> None:
        made = torch2trt(self.model, sample(4), progress=False, verify=False)
        x, bias = sample(4)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            got = made(x, bias)
        graph.replay()
        self.agree(made, (x, bias), got)

    @unittest.skipIf(torch.cuda.device_count() < 2, "one GPU")
    def test_another_gpu_than_the_current_one(self) -> None:
        there = torch.device("cuda", 1)
        model = copy.deepcopy(self.model).to(there)

        def check(made: TRTModule) -> None:
            for _ in range(4):
                args = [x.to(there) for x in sample(4)]
                got = made(*args)
                self.assertEqual({y.device for y in got.values()}, {there})
                self.agree(made, [x.cuda(0) for x in args], {name: y.cuda(0) for name, y in got.items()})
            with self.assertRaises(Error) as raised:
                made(*sample(4))
            self.assertEqual(raised.exception.code, "E0404", raised.exception)

        for mode in (False, True):
            made = torch2trt(model, [x.to(there) for x in sample(4)], use_cuda_graph=mode, progress=False)
            self.assertLess(max(made.report.difference.values()), 1e-2)
            check(made)
            check(copy.deepcopy(made))
            with tempfile.TemporaryDirectory() as folder:
                made.save(os.path.join(folder, "net.engine"))
                check(package.load(os.path.join(folder, "net.engine"), use_cuda_graph=mode, device="cuda:1"))
            self.assertEqual(torch.cuda.current_device(), 0)

    def test_inputs_that_are_not_contiguous(self) -> None:
        x, bias = sample(4)
        for made in self.made.values():
            self.agree(made, (x.to(memory_format=torch.channels_last), bias.t().contiguous().t()))

    def test_out_is_written(self) -> None:
        made, args = self.made[False], sample(4)
        out = [torch.empty(4, 10, device="cuda"), torch.empty(4, 16, device="cuda")]
        made.run(list(args), out=out)
        self.agree(made, args, {"logits": out[0], "features": out[1]})

    def test_errors_of_calls(self) -> None:
        made = self.made[False]
        x, bias = sample(4)
        for args, code in (
            ((x.cpu(), bias), "E0404"),
            ((x.half(), bias), "E0403"),
            (sample(BATCH + 1), "E0402"),
            ((x[:, :2], bias), "E0402"),
            ((x, bias[:3]), "E0402"),
        ):
            with self.subTest(code=code), self.assertRaises(Error) as raised:
                made(*args)
            self.assertEqual(raised.exception.code, code, raised.exception)
        self.agree(made, (x, bias))

    def test_files_and_state_dicts(self) -> None:
        made, args = self.made[False], sample(4)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.engine")
            made.save(path)
            self.assertEqual(package.inspect(path)["built"]["gpu"], torch.cuda.get_device_name())
            self.agree(made, args, package.load(path)(*args))
            torch.save(made.state_dict(), os.path.join(folder, "net.pth"))
            filled = TRTModule()
            filled.load_state_dict(torch.load(os.path.join(folder, "net.pth")))
            self.agree(made, args, filled(*args))
            made.save_plan(os.path.join(folder, "net.plan"))
            plain = package.load_plan(os.path.join(folder, "net.plan"))
            self.agree(made, args, dict(zip(plain.output_names, plain(*args))))

    def test_copies_and_pickles(self) -> None:
        args = sample(3)
        for mode in (False, True):
            for other in (copy.deepcopy(self.made[mode]), pickle.loads(pickle.dumps(self.made[mode]))):
                self.agree(other, args)
                self.assertEqual(other.run_options["use_cuda_graph"], mode)

    def test_new_weights_without_a_rebuild(self) -> None:
        args, fresh = sample(4), Net().cuda().eval()
        made = torch2trt(self.model, sample(4), refittable=True, progress=False)
        old = made(*args)
        with tempfile.TemporaryDirectory() as folder:
            made.save(os.path.join(folder, "net.engine"))
            loaded = package.load(os.path.join(folder, "net.engine"))
        made.refit(fresh)
        loaded.refit(fresh, sample(4), progress=False)
        with torch.no_grad():
            expected = fresh(*args)
        self.assertGreater((expected["logits"] - old["logits"]).abs().max().item(), 0.05)
        for refitted in (made, loaded):
            self.assertLess(max(refitted.report.difference.values()), 1e-2)
            got = refitted(*args)
            for name in expected:
                torch.testing.assert_close(got[name], expected[name], rtol=5e-3, atol=5e-3)

    def test_refits_that_cannot_be(self) -> None:
        made, args = torch2trt(self.model, sample(4), refittable=True, progress=False), sample(4)
        with self.assertRaises(Error) as raised:
            made.refit(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3)).cuda().eval(), [args[0]])
        self.assertEqual(raised.exception.code, "E0606", raised.exception)
        with self.assertRaises(Error) as raised:
            self.made[False].refit(self.model, sample(4))
        self.assertEqual(raised.exception.code, "E0606", raised.exception)
        self.agree(made, args)

    def test_version_compatible_plans_run_on_lean_runtimes(self) -> None:
        """TORCH2TRT_TEST_LEAN: libnvinfer_lean of a version that runs such plans; _REFUSING: of one that does not."""
        runs, refuses = (os.environ.get(f"TORCH2TRT_TEST_LEAN{end}") for end in ("", "_REFUSING"))
        if not runs and not refuses:
            self.skipTest("TORCH2TRT_TEST_LEAN is not set")
        made = torch2trt(self.model, sample(4), version_compatible=True, progress=False)
        args = sample(4)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.engine")
            made.save(path)
            torch.save((args, made(*args)), os.path.join(folder, "call.pt"))
            for library, trusted, wanted in (
                (runs, True, "same"),
                (runs, False, "trusted=True"),
                (refuses, True, "help:"),
            ):
                if library:
                    with self.subTest(library=library, trusted=trusted):
                        stdout = subprocess.run(
                            [sys.executable, "-c", _LOADS, folder, library, str(trusted)],
                            capture_output=True,
                            text=True,
                        )
                        print(stdout.stdout)
                        self.assertIn(wanted, stdout.stdout, stdout.stderr)

    def test_integers_keep_their_type(self) -> None:
        class Tokens(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.table = torch.nn.Embedding(50, 8)

            def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                rows = self.table(ids)
                return rows, rows.sum(-1).argmax(-1)

        model, ids = Tokens().cuda().eval(), torch.randint(0, 50, (2, 7), device="cuda")
        rows, best = torch2trt(model, [ids], progress=False)(ids)
        expected = model(ids)
        self.assertEqual((best.dtype, rows.dtype), (torch.int64, torch.float32))
        torch.testing.assert_close(rows, expected[0])
        torch.testing.assert_close(best, expected[1])

    def test_outputs_whose_shape_depends_on_data(self) -> None:
        class Found(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return torch.nonzero(x > 0)

        x = torch.randn(5, 6, device="cuda")
        made = torch2trt(Found(), [x], progress=False)
        for _ in range(20):
            x = torch.randn(5, 6, device="cuda")
            torch.testing.assert_close(made(x), torch.nonzero(x > 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)
