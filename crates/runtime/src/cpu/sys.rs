//! Every call into ONNX Runtime's C API that `ort` has no safe, copy-free form for.
//!
//! `ort` keeps `Session::run` to `&mut self` because some execution providers are not safe to call concurrently.
//! ONNX Runtime documents `Run` as safe from several threads, and its CPU provider, the only one here, is: that
//! is what [`run`] relies on. Nothing here knows a spec; views come checked.

use super::Weight;
use crate::error::{Error, ProbeError, Result, Stage};
use crate::tensor::byte_len;
use crate::{DataType, Device, Tensor, TensorView, TensorViewMut};
use ort::AsPointer;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::sys::{self, ONNXTensorElementDataType as Onnx};
use smallvec::SmallVec;
use std::any::Any;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::{self, NonNull};

/// An open library that is an ONNX Runtime of a version we can drive.
#[derive(Debug)]
pub(super) struct Probe {
    _library: libloading::Library,
    pub(super) version: String,
}

impl Probe {
    /// Opens a library and asks what it is.
    pub(super) fn open(path: &Path, needed: u32) -> std::result::Result<Self, ProbeError> {
        // SAFETY: loading runs the library's initializers. Whoever named the path chose to run that code: it is the
        // purpose of the option, the variable and the installed package.
        let library = unsafe { libloading::Library::new(path) }.map_err(|error| refusal(path, &error))?;
        // SAFETY: a library that exports this name is ONNX Runtime, whose header gives the function this type.
        let base = unsafe { library.get::<unsafe extern "C" fn() -> *const sys::OrtApiBase>(b"OrtGetApiBase") };
        let base = base.map_err(|_| ProbeError::NotOnnxRuntime)?;
        // SAFETY: the function takes nothing and returns a static table, or null.
        let table = unsafe { base().as_ref() }.ok_or(ProbeError::NotOnnxRuntime)?;
        // SAFETY: `GetVersionString` returns a static C string in every version.
        let version = unsafe { CStr::from_ptr((table.GetVersionString)()) }.to_string_lossy().into_owned();
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
        // SAFETY: `GetApi` takes any number and returns null for one that it does not know.
        let api = unsafe { (table.GetApi)(sys::ORT_API_VERSION) };
        if minor.is_none_or(|minor| minor < needed) || api.is_null() {
            return Err(ProbeError::TooOld { found: version, needed });
        }
        Ok(Self { _library: library, version })
    }
}

fn refusal(path: &Path, error: &libloading::Error) -> ProbeError {
    // The loader's words are in the source of the error; they repeat the path, which the place already has.
    let words = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let words = words.trim_start_matches(&*path.to_string_lossy()).trim_start_matches(": ").to_owned();
    if words.contains("No such file") && !path.exists() { ProbeError::Missing } else { ProbeError::Refused(words) }
}

/// The description of host memory that tensors are made with.
pub(super) struct CpuMemory(NonNull<sys::OrtMemoryInfo>);

// SAFETY: the object is never changed after it was made; ONNX Runtime copies from it.
unsafe impl Send for CpuMemory {}
// SAFETY: as above.
unsafe impl Sync for CpuMemory {}

impl CpuMemory {
    pub(super) fn new() -> ort::Result<Self> {
        let mut info = ptr::null_mut();
        let (kind, memory) = (sys::OrtAllocatorType::OrtDeviceAllocator, sys::OrtMemType::OrtMemTypeDefault);
        // SAFETY: `info` receives a new object, which this value owns.
        check(unsafe { (ort::api().CreateCpuMemoryInfo)(kind, memory, &raw mut info) })?;
        non_null(info).map(Self)
    }
}

impl Drop for CpuMemory {
    fn drop(&mut self) {
        // SAFETY: made by `new`, released once. Values made with it have copied it.
        unsafe { (ort::api().ReleaseMemoryInfo)(self.0.as_ptr()) }
    }
}

/// A tensor of ONNX Runtime's. Over a view's memory it lives no longer than the view (`'a`).
pub(super) struct Value<'a> {
    pointer: NonNull<sys::OrtValue>,
    memory: PhantomData<&'a [u8]>,
}

// SAFETY: the object is a reference-counted handle with atomic counts; it may be released from any thread.
unsafe impl Send for Value<'_> {}
// SAFETY: a shared value is only read.
unsafe impl Sync for Value<'_> {}

impl<'a> Value<'a> {
    /// A tensor that reads a view's memory.
    pub(super) fn of(memory: &CpuMemory, view: &TensorView<'a>) -> ort::Result<Self> {
        Self::over(memory, view.dtype(), view.dims(), view.as_ptr().cast_mut(), view.byte_len())
    }

    /// A tensor that writes to a view's memory. The exclusive borrow keeps a second one from being made.
    pub(super) fn of_mut(memory: &CpuMemory, view: &'a mut TensorViewMut<'_>) -> ort::Result<Self> {
        let (dtype, dims, len) = (view.dtype(), view.dims(), view.byte_len());
        Self::over(memory, dtype, dims, view.as_mut_ptr(), len)
    }

    /// A tensor over memory: `len` bytes that fit `dtype` and `dims` (callers hold a view or a checked weight).
    fn over(memory: &CpuMemory, dtype: DataType, dims: &[i64], data: *mut u8, len: usize) -> ort::Result<Self> {
        // An empty tensor may have no memory, and ONNX Runtime wants an address.
        let data = if len == 0 { ptr::dangling_mut::<u64>().cast() } else { data.cast::<c_void>() };
        let mut value = ptr::null_mut();
        // SAFETY: `dims` is `dims.len()` numbers; `data` has `len` bytes, for as long as `'a`, which binds the
        // value (for weights: as long as the engine, see `add_weights`). The call checks `len` against the shape.
        check(unsafe {
            let (info, onnx) = (memory.0.as_ptr(), onnx_type(dtype));
            let create = ort::api().CreateTensorWithDataAsOrtValue;
            create(info, data, len, dims.as_ptr(), dims.len(), onnx, &raw mut value)
        })?;
        Ok(Self { pointer: non_null(value)?, memory: PhantomData })
    }
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is owned by this value and released once.
        unsafe { (ort::api().ReleaseValue)(self.pointer.as_ptr()) }
    }
}

/// Where an output goes.
pub(super) enum Output<'a> {
    /// Into the caller's memory.
    Bound(Value<'a>),
    /// Into memory that ONNX Runtime will allocate.
    Open,
    /// It has been allocated.
    Made(Value<'static>),
}

/// Executes. Safe from several threads at once on one session (see the file's comment).
pub(super) fn run(
    session: &Session,
    input_names: &[CString],
    inputs: &[Value<'_>],
    output_names: &[CString],
    outputs: &mut [Output<'_>],
) -> ort::Result<()> {
    if inputs.len() != input_names.len() || outputs.len() != output_names.len() {
        return Err(ort::Error::new("the call's tensors are not as many as the model's names"));
    }
    let input_names: SmallVec<[*const c_char; 8]> = input_names.iter().map(|name| name.as_ptr()).collect();
    let output_names: SmallVec<[*const c_char; 8]> = output_names.iter().map(|name| name.as_ptr()).collect();
    let inputs: SmallVec<[*const sys::OrtValue; 8]> =
        inputs.iter().map(|value| value.pointer.as_ptr().cast_const()).collect();
    let mut made: SmallVec<[*mut sys::OrtValue; 8]> = outputs
        .iter()
        .map(|output| match output {
            Output::Bound(value) | Output::Made(value) => value.pointer.as_ptr(),
            Output::Open => ptr::null_mut(),
        })
        .collect();
    // SAFETY: the numbers of names and values are passed, and they outlive the call. ONNX Runtime writes to the bound
    // outputs, of which each is the only one over its memory, and fills the null slots with new values, which
    // are taken over below. The session is only read: its CPU provider locks what its calls share.
    let status = unsafe {
        let run = ort::api().Run;
        let handle = session.ptr().cast_mut();
        let (count_in, count_out) = (inputs.len(), made.len());
        run(
            handle,
            ptr::null(),
            input_names.as_ptr(),
            inputs.as_ptr(),
            count_in,
            output_names.as_ptr(),
            count_out,
            made.as_mut_ptr(),
        )
    };
    check(status)?;
    for (output, pointer) in outputs.iter_mut().zip(made) {
        if matches!(output, Output::Open) {
            *output = Output::Made(Value { pointer: non_null(pointer)?, memory: PhantomData });
        }
    }
    Ok(())
}

/// Turns an output that ONNX Runtime allocated into a tensor; `session` is kept alive by it.
///
/// A model may hand an input through, and ONNX Runtime then returns the input's own memory: such an output is
/// copied, for the tensor outlives the call.
pub(super) fn into_tensor(
    output: Output<'_>,
    name: &str,
    inputs: &[TensorView<'_>],
    session: impl Any + Send + Sync,
) -> Result<Tensor> {
    let failed = |error: ort::Error| super::failure::failure(Stage::Run, &error);
    let Output::Made(value) = output else {
        return Err(failed(ort::Error::new(format!("output `{name}` was not made"))));
    };
    let (code, dims) = type_and_dims(&value).map_err(failed)?;
    let dtype = data_type(code).ok_or_else(|| Error::UnknownType { output: name.to_owned(), code })?;
    let mut data = ptr::null_mut();
    // SAFETY: the value is a tensor (it has a tensor's type and dims); the call only reads its address.
    check(unsafe { (ort::api().GetTensorMutableData)(value.pointer.as_ptr(), &raw mut data) }).map_err(failed)?;
    let len = byte_len(dtype, &dims).ok_or_else(|| Error::BadDims { dims: dims.clone() })?;
    let start = data.cast::<u8>();
    let borrowed = inputs.iter().any(|view| {
        let range = view.as_ptr().addr()..view.as_ptr().addr() + view.byte_len();
        len > 0 && range.contains(&start.addr())
    });
    if borrowed {
        // SAFETY: `data` points to `len` bytes within a view that lives during this call.
        let copy: Vec<u64> = unsafe { aligned_copy(start, len) };
        let start = copy.as_ptr().cast_mut().cast::<u8>();
        // SAFETY: `copy` owns at least `len` bytes, aligned for every dtype, and moves into the tensor.
        return unsafe { Tensor::from_raw(dtype, dims, start, Device::Cpu, Box::new(copy)) };
    }
    // SAFETY: the value owns the memory (or shares it with the session, which comes along) and moves into the
    // tensor; nobody else has it.
    unsafe { Tensor::from_raw(dtype, dims, start, Device::Cpu, Box::new((value, session))) }
}

/// A copy of bytes at an address aligned for every element type.
///
/// # Safety
/// `len` bytes must be readable at `start`.
unsafe fn aligned_copy(start: *const u8, len: usize) -> Vec<u64> {
    let mut copy = vec![0u64; len.div_ceil(size_of::<u64>())];
    // SAFETY: the caller vouches for the source; the vector has at least `len` bytes, and is new.
    unsafe { ptr::copy_nonoverlapping(start, copy.as_mut_ptr().cast(), len) };
    copy
}

/// The ONNX element type and the sizes of a tensor.
fn type_and_dims(value: &Value<'_>) -> ort::Result<(i32, Vec<i64>)> {
    let api = ort::api();
    let mut info = ptr::null_mut();
    // SAFETY: `info` receives a new object; it is released below on every path.
    check(unsafe { (api.GetTensorTypeAndShape)(value.pointer.as_ptr(), &raw mut info) })?;
    let info = non_null(info)?;
    let read = || {
        let (mut count, mut code) = (0, 0i32);
        // SAFETY: `info` is live. The type is written as a C enum, which is an `int`: read as one, a number that
        // this crate does not know cannot be an invalid Rust enum.
        check(unsafe { (api.GetTensorElementType)(info.as_ptr(), ptr::from_mut(&mut code).cast::<Onnx>()) })?;
        // SAFETY: `info` is live.
        check(unsafe { (api.GetDimensionsCount)(info.as_ptr(), &raw mut count) })?;
        let mut dims = vec![0i64; count];
        // SAFETY: `dims` has room for `count` numbers.
        check(unsafe { (api.GetDimensions)(info.as_ptr(), dims.as_mut_ptr(), count) })?;
        Ok((code, dims))
    };
    let facts = read();
    // SAFETY: made above, released once.
    unsafe { (api.ReleaseTensorTypeAndShapeInfo)(info.as_ptr()) };
    facts
}

/// Gives a session the weights of its model, without a copy. They must stay as long as the session does.
pub(super) fn add_weights(builder: &mut SessionBuilder, memory: &CpuMemory, weights: &[Weight]) -> Result<()> {
    let mut names = Vec::with_capacity(weights.len());
    let mut values = Vec::with_capacity(weights.len());
    for weight in weights {
        let Weight { name, dtype, dims, data } = weight;
        let needed = byte_len(*dtype, dims).ok_or_else(|| Error::BadDims { dims: dims.clone() })?;
        if needed != data.len() {
            let (name, dims, got) = (name.clone(), dims.clone(), data.len());
            return Err(Error::WeightLength { name, dtype: *dtype, dims, needed, got });
        }
        if needed > 0 && !data.as_ptr().addr().is_multiple_of(dtype.size()) {
            return Err(Error::BufferAddress { dtype: *dtype, address: data.as_ptr().addr() });
        }
        names.push(c_string("weight name", name)?);
        let value = Value::over(memory, *dtype, dims, data.as_ptr().cast_mut(), needed);
        values.push(value.map_err(|error| super::failure::failure(Stage::Load, &error))?);
    }
    if weights.is_empty() {
        return Ok(());
    }
    let names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let pointers: Vec<*const sys::OrtValue> = values.iter().map(|value| value.pointer.as_ptr().cast_const()).collect();
    // SAFETY: as many names as values. The options copy the names and share the values' tensors, so both may go
    // after the call. The tensors' memory stays: `Session` keeps the weights and is dropped before them, and ONNX
    // Runtime only reads initializers.
    let status = unsafe {
        let options = builder.ptr_mut();
        (ort::api().AddExternalInitializers)(options, names.as_ptr(), pointers.as_ptr(), names.len())
    };
    check(status).map_err(|error| super::failure::failure(Stage::Load, &error))
}

/// Takes the memory pool out of a session that is yet to be made.
pub(super) fn disable_arena(builder: &mut SessionBuilder) -> ort::Result<()> {
    // SAFETY: the options are live and exclusively borrowed.
    check(unsafe { (ort::api().DisableCpuMemArena)(builder.ptr_mut()) })
}

/// Hands memory that loading has freed back to the system. Loading frees blocks about as large as the weights,
/// and glibc keeps them: half the weights again, measured on ResNet-50.
pub(super) fn release_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` may be called at any time, from any thread; it touches no allocated memory.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// A text for the C API.
pub(super) fn c_string(what: &'static str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::Nul { what, text: text.to_owned() })
}

fn check(status: sys::OrtStatusPtr) -> ort::Result<()> {
    // SAFETY: every status here comes straight from a call of the API, and is handed over once.
    unsafe { ort::Error::result_from_status(status) }
}

fn non_null<T>(pointer: *mut T) -> ort::Result<NonNull<T>> {
    NonNull::new(pointer).ok_or_else(|| ort::Error::new("ONNX Runtime returned no object and no error"))
}

fn onnx_type(dtype: DataType) -> Onnx {
    match dtype {
        DataType::Float32 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
        DataType::Float16 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
        DataType::BFloat16 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16,
        DataType::Float64 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,
        DataType::Int64 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
        DataType::Int32 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
        DataType::Int16 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
        DataType::Int8 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
        DataType::UInt8 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
        DataType::Bool => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,
        DataType::Float8E4M3 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FN,
        DataType::Float8E5M2 => Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2,
    }
}

/// The type of ONNX's number, where engines have it.
pub(super) fn data_type(code: i32) -> Option<DataType> {
    DataType::ALL.into_iter().find(|dtype| onnx_type(*dtype) as i32 == code)
}
