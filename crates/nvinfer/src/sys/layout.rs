//! The C++ structs that cross the boundary, field by field, and how a public object is laid out.
//!
//! Linux on x86-64 and aarch64 (Itanium C++ ABI). All of them are trivially copyable in C++, so `extern "C"` passes
//! and returns them as the C++ compiler does.

use std::ffi::{c_char, c_void};

/// `Dims::MAX_DIMS`, the same in every version.
pub const MAX_DIMS: usize = 8;

/// `Dims` of TensorRT 8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Dims32 {
    /// Rank; -1 when it is not known.
    pub rank: i32,
    /// Extents; -1 for one that is only known at run time.
    pub d: [i32; MAX_DIMS],
}

/// `Dims` from TensorRT 10 on, and in TensorRT-RTX.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Dims64 {
    /// Rank; -1 when it is not known.
    pub rank: i32,
    /// Extents; -1 for one that is only known at run time.
    pub d: [i64; MAX_DIMS],
}

/// `Weights`, always passed by value.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawWeights {
    /// `DataType` number of the loaded version.
    pub dtype: i32,
    /// First element; null for no weights.
    pub values: *const c_void,
    /// Number of elements (not bytes).
    pub count: i64,
}

/// `Permutation`: where each axis comes from.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    /// `order[i]` is the input axis that becomes axis `i`.
    pub order: [i32; MAX_DIMS],
}

/// `InterfaceInfo`: the name and version of an interface that we implement.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct InterfaceInfo {
    /// Class name.
    pub kind: *const c_char,
    /// Interface major version.
    pub major: i32,
    /// Interface minor version.
    pub minor: i32,
}

/// `PluginField`: one attribute that a plugin is created with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawPluginField {
    /// Its name.
    pub name: *const c_char,
    /// The elements.
    pub data: *const c_void,
    /// `PluginFieldType` number of the loaded version.
    pub kind: i32,
    /// Number of elements (not bytes).
    pub length: i32,
}

/// `PluginFieldCollection`: the attributes that a plugin is created with, or those that its creator knows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawPluginFieldCollection {
    /// How many.
    pub count: i32,
    /// The first.
    pub fields: *const RawPluginField,
}

/// Byte offset of the implementation pointer behind a public object's own vtable pointer; none where there is no
/// implementation object and the object's own table is called.
///
/// Plain objects hold it at [`IMPL`](offset::IMPL). A layer holds its `VLayer` there and its concrete class one
/// pointer further. (Loop and conditional layers hold their boundary class in between; no call needs it.)
pub mod offset {
    /// `mImpl` of a plain object, `mLayer` of a layer.
    pub const IMPL: Option<usize> = Some(8);
    /// `mImpl` of a layer.
    pub const LAYER_IMPL: Option<usize> = Some(16);
    /// Interfaces of plugins: the object is the implementation.
    pub const DIRECT: Option<usize> = None;
}
