"""Installs a wheel into a clean environment and uses it there, with no compiler on PATH.

    python packaging/test_wheel.py dist/torch2trt-*-x86_64.whl

PyTorch, NumPy and ONNX Runtime come from the environment that runs this script, so that nothing is downloaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

USE = """
import sys
from pathlib import Path

import torch

import torch2trt as package
from torch2trt import torch2trt

folder = Path(sys.argv[1])
assert Path(package.__file__).is_relative_to(sys.prefix), package.__file__
model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 5))
model, x = model.eval(), torch.randn(2, 3, 8, 8)
model_trt = torch2trt(model, [x], progress=False)
fresh = torch.randn(2, 3, 8, 8)
torch.testing.assert_close(model_trt(fresh), model(fresh), rtol=1e-4, atol=1e-4)
model_trt.save(folder / "model.trt2")
loaded = package.load(folder / "model.trt2")
torch.testing.assert_close(loaded(fresh), model(fresh), rtol=1e-4, atol=1e-4)
torch.export.save(torch.export.export(model, (x,)).run_decompositions({}), folder / "model.pt2")
print(model_trt.report)
"""


def run(*command: str | Path, **options: object) -> str:
    """A command's standard output; its failure ends the script with everything it printed."""
    words = list(map(str, command))
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    print(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}", flush=True)
    if done.returncode:
        sys.exit(f"exit status {done.returncode}")
    return str(done.stdout)


def main() -> None:
    """Runs the checks in a temporary folder."""
    wheel = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "clean", with_pip=False)
        clean = folder / "clean" / "bin"
        python = clean / "python"
        run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel)
        # After the environment's own packages, so that its torch2trt is the wheel's.
        site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        borrowed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        Path(site, "borrowed.pth").write_text("\n".join(borrowed) + "\n")
        # Neither compilers nor this checkout: the commands of the new environment alone.
        environment = {"PATH": str(clean), "HOME": str(folder), "LANG": os.environ.get("LANG", "C.UTF-8")}
        options = {"cwd": folder, "env": environment}
        run(python, "-c", USE, folder, **options)
        program = clean / "torch2trt"
        run(program, "--version", **options)
        run(program, "info", folder / "model.trt2", **options)
        run(program, "build", folder / "model.pt2", "--backend", "cpu", "--output", folder / "again.trt2", **options)
        run(program, "run", folder / "again.trt2", **options)
    print("the wheel works in a clean environment")


if __name__ == "__main__":
    main()
