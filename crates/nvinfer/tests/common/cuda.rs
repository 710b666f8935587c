//! As much of the CUDA driver as the device tests need, loaded at run time: the crate under test knows no CUDA.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::{c_int, c_uint, c_void};

use libloading::{Library, Symbol};

/// The driver, with the first GPU's primary context current on this thread and one stream.
pub struct Cuda {
    driver: Library,
    stream: *mut c_void,
}

// SAFETY: the stream is a handle that any thread with a current context may use; `Cuda` is shared by reference only.
unsafe impl Sync for Cuda {}
// SAFETY: as above.
unsafe impl Send for Cuda {}

impl Cuda {
    /// `None` without a driver or a GPU.
    pub fn new() -> Option<Self> {
        // SAFETY: the CUDA driver is made to be loaded at run time.
        let driver = unsafe { Library::new("libcuda.so.1") }.ok()?;
        let mut cuda = Self { driver, stream: std::ptr::null_mut() };
        let (mut device, mut context): (c_int, *mut c_void) = (0, std::ptr::null_mut());
        // SAFETY: the functions have these types in every driver since CUDA 7.
        unsafe {
            let init: Symbol<'_, unsafe extern "C" fn(c_uint) -> c_int> = cuda.driver.get(b"cuInit").unwrap();
            if init(0) != 0 {
                return None;
            }
            let get: Symbol<'_, unsafe extern "C" fn(*mut c_int, c_int) -> c_int> =
                cuda.driver.get(b"cuDeviceGet").unwrap();
            assert_eq!(get(&raw mut device, 0), 0);
            let retain: Symbol<'_, unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_int> =
                cuda.driver.get(b"cuDevicePrimaryCtxRetain").unwrap();
            assert_eq!(retain(&raw mut context, device), 0);
            let current: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> c_int> =
                cuda.driver.get(b"cuCtxSetCurrent").unwrap();
            assert_eq!(current(context), 0);
            let create: Symbol<'_, unsafe extern "C" fn(*mut *mut c_void, c_uint) -> c_int> =
                cuda.driver.get(b"cuStreamCreate").unwrap();
            let mut stream = std::ptr::null_mut();
            assert_eq!(create(&raw mut stream, 1), 0);
            cuda.stream = stream;
        }
        Some(cuda)
    }

    /// The stream.
    pub fn stream(&self) -> *mut c_void {
        self.stream
    }

    /// The driver, for calls that are not here.
    #[allow(dead_code, reason = "not every test calls it")]
    pub fn driver(&self) -> &Library {
        &self.driver
    }

    /// Device memory, never freed: tests are short.
    pub fn allocate(&self, bytes: usize) -> *mut c_void {
        let mut address = 0u64;
        // SAFETY: as in `new`.
        unsafe {
            let allocate: Symbol<'_, unsafe extern "C" fn(*mut u64, usize) -> c_int> =
                self.driver.get(b"cuMemAlloc_v2").unwrap();
            assert_eq!(allocate(&raw mut address, bytes.max(256)), 0);
        }
        std::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap())
    }

    /// Device memory that holds these numbers.
    pub fn upload<T: Copy>(&self, values: &[T]) -> *mut c_void {
        let address = self.allocate(size_of_val(values));
        // SAFETY: as in `new`; the memory is as large as the numbers.
        unsafe {
            let copy: Symbol<'_, unsafe extern "C" fn(u64, *const c_void, usize) -> c_int> =
                self.driver.get(b"cuMemcpyHtoD_v2").unwrap();
            assert_eq!(copy(address.addr() as u64, values.as_ptr().cast(), size_of_val(values)), 0);
        }
        address
    }

    /// Numbers from device memory, once the stream is done.
    pub fn download<T: Copy + Default>(&self, address: *mut c_void, count: usize) -> Vec<T> {
        let mut values = vec![T::default(); count];
        // SAFETY: as in `new`; the caller's memory holds as many numbers.
        unsafe {
            let wait: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> c_int> =
                self.driver.get(b"cuStreamSynchronize").unwrap();
            assert_eq!(wait(self.stream), 0);
            let copy: Symbol<'_, unsafe extern "C" fn(*mut c_void, u64, usize) -> c_int> =
                self.driver.get(b"cuMemcpyDtoH_v2").unwrap();
            assert_eq!(copy(values.as_mut_ptr().cast(), address.addr() as u64, count * size_of::<T>()), 0);
        }
        values
    }
}
