//! `IStreamWriter`, `IStreamReader`, `IStreamReaderV2`: plans written and read piece by piece.
//!
//! An I/O error cannot pass through C++, so it is kept and handed out when the call is over.

use std::ffi::c_void;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::raw::object::{Object, guarded};
use crate::sys::tables::{stream_reader, stream_reader_v2, stream_writer};
use crate::version::Version;

/// What TensorRT reads from or writes to, and what went wrong.
///
/// The stream is a raw pointer because the C++ object has no lifetimes; the wrappers below hold the borrow.
struct State<T: ?Sized> {
    stream: *mut T,
    error: Option<io::Error>,
}

// SAFETY: the stream is only used under the mutex around the state, while the wrapper's borrow holds; TensorRT may
// call from a thread of its own, which is why every stream here is Send.
unsafe impl<T: ?Sized> Send for State<T> {}

type Shared<T> = Mutex<State<T>>;

fn lock<T: ?Sized>(state: &Shared<T>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn taken<T: ?Sized>(what: &'static str, state: &Shared<T>) -> Option<Error> {
    lock(state).error.take().map(|source| Error::Stream { what, source })
}

/// Notes an error; TensorRT is told by a short count.
fn settle<T: ?Sized>(state: &mut State<T>, done: io::Result<usize>) -> i64 {
    match done {
        Ok(count) => i64::try_from(count).unwrap_or(i64::MAX),
        Err(error) => {
            state.error = Some(error);
            -1
        }
    }
}

/// A place for a plan to be written to.
pub(crate) struct Writer<'a> {
    object: Box<Object<Shared<dyn Write + Send + 'static>>>,
    borrow: PhantomData<&'a mut (dyn Write + Send)>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(version: Version, out: &'a mut (dyn Write + Send + 'a)) -> Self {
        let methods = [(&stream_writer::WRITE, write as *const ())];
        let stream: *mut (dyn Write + Send + 'a) = out;
        // SAFETY: only the lifetime changes; `borrow` keeps the true one, and the object does not outlive it.
        let stream =
            unsafe { std::mem::transmute::<*mut (dyn Write + Send + 'a), *mut (dyn Write + Send + 'static)>(stream) };
        let state = Mutex::new(State { stream, error: None });
        let object = Object::new(version, stream_writer::ALL, c"IStreamWriter", &methods, state);
        Self { object, borrow: PhantomData }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    /// What went wrong, if anything did.
    pub(crate) fn finish(self) -> Option<Error> {
        let Self { object, borrow: PhantomData } = self;
        taken("writing a plan", &object.state)
    }
}

extern "C" fn write(this: *mut c_void, data: *const c_void, count: i64) -> i64 {
    guarded("IStreamWriter::write", -1, || {
        // SAFETY: TensorRT gives back the writer while the build runs.
        let mut state = lock(unsafe { Object::<Shared<dyn Write + Send>>::state(this) });
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: TensorRT passes `count` readable bytes; the borrow behind the stream holds during the build.
        let done = unsafe {
            let bytes = if count == 0 { &[] } else { std::slice::from_raw_parts(data.cast::<u8>(), count) };
            (*state.stream).write_all(bytes)
        };
        settle(&mut state, done.map(|()| count))
    })
}

/// A plan to be read from its beginning (TensorRT 10 and RTX 1.3 to 1.4).
pub(crate) struct Reader<'a> {
    object: Box<Object<Shared<dyn Read + Send + 'static>>>,
    borrow: PhantomData<&'a mut (dyn Read + Send)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(version: Version, from: &'a mut (dyn Read + Send + 'a)) -> Self {
        let methods = [(&stream_reader::READ, read as *const ())];
        let stream: *mut (dyn Read + Send + 'a) = from;
        // SAFETY: as in `Writer::new`.
        let stream =
            unsafe { std::mem::transmute::<*mut (dyn Read + Send + 'a), *mut (dyn Read + Send + 'static)>(stream) };
        let state = Mutex::new(State { stream, error: None });
        let object = Object::new(version, stream_reader::ALL, c"IStreamReader", &methods, state);
        Self { object, borrow: PhantomData }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    pub(crate) fn finish(self) -> Option<Error> {
        let Self { object, borrow: PhantomData } = self;
        taken("reading a plan", &object.state)
    }
}

extern "C" fn read(this: *mut c_void, destination: *mut c_void, count: i64) -> i64 {
    guarded("IStreamReader::read", -1, || {
        // SAFETY: TensorRT gives back the reader while the engine is deserialized.
        let mut state = lock(unsafe { Object::<Shared<dyn Read + Send>>::state(this) });
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: TensorRT passes `count` writable bytes of host memory; the borrow behind the stream holds.
        let done = unsafe {
            let bytes =
                if count == 0 { &mut [] } else { std::slice::from_raw_parts_mut(destination.cast::<u8>(), count) };
            read_up_to(&mut *state.stream, bytes)
        };
        settle(&mut state, done)
    })
}

/// Reads until `bytes` is full or the stream ends.
fn read_up_to(stream: &mut dyn Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A stream that can be read from anywhere.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// Copies host bytes to where TensorRT wants them, which may be on the GPU.
///
/// # Safety
/// An implementation copies all of `bytes` to `destination` before it returns true, or in the order of `stream`.
/// `destination` is memory that TensorRT gave, on the host or on the device.
pub unsafe trait CopyToDevice: Sync {
    /// Copies; false when the copy failed.
    ///
    /// # Safety
    /// `destination` takes `bytes.len()` bytes, on the host or on the device of `stream`.
    unsafe fn copy(&self, destination: *mut c_void, bytes: &[u8], stream: *mut c_void) -> bool;
}

struct Seekable {
    stream: *mut (dyn ReadSeek + 'static),
    copy: *const (dyn CopyToDevice + 'static),
    error: Option<io::Error>,
}

// SAFETY: as for `State`.
unsafe impl Send for Seekable {}

/// A plan to be read in pieces, in any order, partly straight to the GPU (from 10.7).
pub(crate) struct ReaderV2<'a> {
    object: Box<Object<Mutex<Seekable>>>,
    borrow: PhantomData<&'a mut dyn ReadSeek>,
}

impl<'a> ReaderV2<'a> {
    pub(crate) fn new(version: Version, from: &'a mut (dyn ReadSeek + 'a), copy: &'a (dyn CopyToDevice + 'a)) -> Self {
        let methods = [(&stream_reader_v2::READ, read_v2 as *const ()), (&stream_reader_v2::SEEK, seek as *const ())];
        let stream: *mut (dyn ReadSeek + 'a) = from;
        let copy: *const (dyn CopyToDevice + 'a) = copy;
        // SAFETY: as in `Writer::new`.
        let (stream, copy) = unsafe {
            (
                std::mem::transmute::<*mut (dyn ReadSeek + 'a), *mut (dyn ReadSeek + 'static)>(stream),
                std::mem::transmute::<*const (dyn CopyToDevice + 'a), *const (dyn CopyToDevice + 'static)>(copy),
            )
        };
        let state = Mutex::new(Seekable { stream, copy, error: None });
        let object = Object::new(version, stream_reader_v2::ALL, c"IStreamReaderV2", &methods, state);
        Self { object, borrow: PhantomData }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    pub(crate) fn finish(self) -> Option<Error> {
        let Self { object, borrow: PhantomData } = self;
        let error = object.state.lock().unwrap_or_else(PoisonError::into_inner).error.take();
        error.map(|source| Error::Stream { what: "reading a plan", source })
    }
}

/// The state behind `this`.
///
/// # Safety
/// `this` is a live `ReaderV2`'s object.
unsafe fn seekable<'a>(this: *mut c_void) -> MutexGuard<'a, Seekable> {
    // SAFETY: the caller's promise.
    unsafe { Object::<Mutex<Seekable>>::state(this) }.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn read_v2(this: *mut c_void, destination: *mut c_void, count: i64, stream: *mut c_void) -> i64 {
    guarded("IStreamReaderV2::read", -1, || {
        // SAFETY: TensorRT gives back the reader while the engine is deserialized.
        let mut state = unsafe { seekable(this) };
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
        // SAFETY: the borrows behind both pointers hold while the engine is deserialized; TensorRT passes room for
        // `count` bytes, and no more are copied.
        let done = unsafe {
            read_up_to(&mut *state.stream, &mut bytes).and_then(|filled| {
                let copied = (*state.copy).copy(destination, &bytes[..filled], stream);
                if copied { Ok(filled) } else { Err(io::Error::other("copying to the device failed")) }
            })
        };
        match done {
            Ok(filled) => i64::try_from(filled).unwrap_or(i64::MAX),
            Err(error) => {
                state.error = Some(error);
                -1
            }
        }
    })
}

/// `SeekPosition`: 0 from the beginning, 1 from here, 2 from the end, in every version that has it.
extern "C" fn seek(this: *mut c_void, offset: i64, from: i32) -> bool {
    guarded("IStreamReaderV2::seek", false, || {
        // SAFETY: as in `read_v2`.
        let mut state = unsafe { seekable(this) };
        let target = match from {
            0 => SeekFrom::Start(u64::try_from(offset).unwrap_or(0)),
            1 => SeekFrom::Current(offset),
            _ => SeekFrom::End(offset),
        };
        // SAFETY: the borrow behind the stream holds while the engine is deserialized.
        match unsafe { (*state.stream).seek(target) } {
            Ok(_) => true,
            Err(error) => {
                state.error = Some(error);
                false
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Write3 = extern "C" fn(*mut c_void, *const c_void, i64) -> i64;
    type Read3 = extern "C" fn(*mut c_void, *mut c_void, i64) -> i64;
    type Read4 = extern "C" fn(*mut c_void, *mut c_void, i64, *mut c_void) -> i64;
    type Seek3 = extern "C" fn(*mut c_void, i64, i32) -> bool;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("disk full"))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct HostCopy;

    // SAFETY: copies at once, to host memory, which is what the test passes.
    unsafe impl CopyToDevice for HostCopy {
        unsafe fn copy(&self, destination: *mut c_void, bytes: &[u8], _: *mut c_void) -> bool {
            // SAFETY: the test passes room for the bytes.
            unsafe { destination.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            true
        }
    }

    #[test]
    fn a_plan_is_written_and_an_error_comes_out_at_the_end() {
        for version in crate::testing::versions().into_iter().skip(1) {
            let mut plan = Vec::new();
            let writer = Writer::new(version, &mut plan);
            assert!(writer.object.is_complete());
            // SAFETY: the slot holds a function of this type.
            let write = unsafe {
                std::mem::transmute::<*const (), Write3>(writer.object.function(version, &stream_writer::WRITE))
            };
            assert_eq!(write(writer.as_ptr(), [1u8, 2, 3].as_ptr().cast(), 3), 3);
            assert_eq!(write(writer.as_ptr(), [4u8].as_ptr().cast(), 1), 1);
            assert!(writer.finish().is_none());
            assert_eq!(plan, [1, 2, 3, 4]);

            let mut full = Full;
            let writer = Writer::new(version, &mut full);
            assert_eq!(super::write(writer.as_ptr(), [1u8].as_ptr().cast(), 1), -1);
            assert!(writer.finish().unwrap().to_string().contains("disk full"));
        }
    }

    #[test]
    fn a_plan_is_read_in_order() {
        let version = crate::testing::versions()[1];
        let mut from = io::Cursor::new((0..10u8).collect::<Vec<_>>());
        let reader = Reader::new(version, &mut from);
        assert!(reader.object.is_complete());
        // SAFETY: the slot holds a function of this type.
        let read =
            unsafe { std::mem::transmute::<*const (), Read3>(reader.object.function(version, &stream_reader::READ)) };
        let mut bytes = [0u8; 8];
        assert_eq!(read(reader.as_ptr(), bytes.as_mut_ptr().cast(), 8), 8);
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(read(reader.as_ptr(), bytes.as_mut_ptr().cast(), 8), 2, "the end");
        assert_eq!(bytes[..2], [8, 9]);
        assert!(reader.finish().is_none());
    }

    #[test]
    fn a_plan_is_read_from_anywhere() {
        for version in crate::testing::versions().into_iter().skip(1) {
            let mut from = io::Cursor::new((0..10u8).collect::<Vec<_>>());
            let reader = ReaderV2::new(version, &mut from, &HostCopy);
            assert!(reader.object.is_complete());
            // SAFETY: the slots hold functions of these types.
            let (read, seek) = unsafe {
                let object = &reader.object;
                (
                    std::mem::transmute::<*const (), Read4>(object.function(version, &stream_reader_v2::READ)),
                    std::mem::transmute::<*const (), Seek3>(object.function(version, &stream_reader_v2::SEEK)),
                )
            };
            let mut bytes = [0u8; 2];
            let mut at = |offset, from| {
                assert!(seek(reader.as_ptr(), offset, from));
                assert_eq!(read(reader.as_ptr(), bytes.as_mut_ptr().cast(), 2, std::ptr::null_mut()), 2);
                bytes
            };
            assert_eq!(at(4, 0), [4, 5]);
            assert_eq!(at(1, 1), [7, 8]);
            assert_eq!(at(-3, 2), [7, 8]);
            assert!(!seek(reader.as_ptr(), -20, 2), "before the beginning");
            assert!(reader.finish().is_some());
        }
    }
}
