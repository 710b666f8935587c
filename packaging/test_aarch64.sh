#!/usr/bin/env bash
# Runs the aarch64 wheel and command line under qemu-user: packaging/test_aarch64.sh WHEEL [PROGRAM]
#
# PyTorch is not installed for this: the package's command line needs only its extension. Needs Debian's or Ubuntu's
# qemu-user-static, and the architecture arm64 (`dpkg --add-architecture arm64 && apt-get update`), from which a Python
# is downloaded into a temporary folder. Nothing is installed.
set -euo pipefail
wheel=$(realpath "$1")
program=${2:+$(realpath "$2")}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
if [ -n "${ARM64_ROOT:-}" ]; then
    ln -s "$ARM64_ROOT" root
else
    packages=(libc6 libgcc-s1 libexpat1 zlib1g libffi8 libssl3 libpython3.11-minimal libpython3.11-stdlib python3.11-minimal)
    apt-get download -qq "${packages[@]/%/:arm64}"
    for package in *.deb; do dpkg -x "$package" root; done
fi
run() { qemu-aarch64-static -L root "$@"; }
mkdir site
python3 -m zipfile -e "$wheel" site
export PYTHONPATH=$folder/site
command=(root/usr/bin/python3.11 -c 'import torch2trt_command; torch2trt_command.main()')
run root/usr/bin/python3.11 -c 'import platform; assert platform.machine() == "aarch64"; print(platform.python_version())'
run "${command[@]}" --version
run "${command[@]}" doctor || true
# Archives become ONNX models without PyTorch and ONNX Runtime.
for seed in "$OLDPWD"/fuzz/seeds/archive/*; do
    cp "$seed" model.pt2
    run "${command[@]}" build model.pt2 --onnx "$(basename "$seed").onnx"
done
ls -l ./*.onnx
if [ -n "$program" ]; then
    run "$program" --version
    run "$program" build model.pt2 --onnx program.onnx
fi
# Without PyTorch, importing the package is an error with a code.
{ run root/usr/bin/python3.11 -c 'import torch2trt' || true; } 2>&1 | grep E0801
