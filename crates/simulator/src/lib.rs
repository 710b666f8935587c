//! A CUDA driver and a TensorRT in one library, for tests of the engine on machines without a GPU.
//!
//! Loaded as `libcuda.so.1` and `libnvinfer.so`, it keeps streams, events, graphs and memory as the driver does, and
//! runs engines of one kind, which add tensors. What makes it worth having is that it is hostile: enqueued work runs as
//! late as it may, in any order that streams and events allow, on memory full of garbage; two steps of a kernel pass
//! their sums through the context's scratch memory. Whoever forgets to wait reads something else. What a driver would
//! answer with undefined behavior is a fault, which every later call returns.
//!
//! | File | What it holds |
//! |---|---|
//! | `world.rs` | memory, streams, events, graphs and what is enqueued: who may run next |
//! | `declare.rs` | how a function of the driver is declared |
//! | `driver.rs` | the driver's functions |
//! | `graphs.rs` | the driver's functions about graphs and captures |
//! | `plan.rs` | the contents of a plan |
//! | `object.rs` | objects in the layout of any version of TensorRT |
//! | `plugins.rs` | the registry of plugin creators, and a plugin library, which this file is, too |
//! | `tensorrt.rs` | entry points, runtime, engine |
//! | `context.rs` | execution contexts |
//!
//! Environment: `SIMULATOR_TENSORRT` is the version that TensorRT reports (101600 without), `SIMULATOR_SEED` the seed
//! of the order in which things run (another one each time without).

mod context;
mod declare;
mod driver;
mod graphs;
mod object;
mod plan;
mod plugins;
mod tensorrt;
mod world;
