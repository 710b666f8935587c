//! The registry of plugin creators, and a plugin library with creators for the TensorRT that loads it.
//!
//! This library plays both parts: TensorRT, whose registry `getPluginRegistry` returns, and a plugin library, which
//! hands out its creators by `getPluginCreators` and `getCreators`. A real TensorRT may load it as the latter: objects
//! then have the layout of its version.

use crate::object::{This, make_direct, name, state, version};
use nvinfer::sys::layout::{InterfaceInfo, RawPluginField, RawPluginFieldCollection};
use nvinfer::sys::tables::{plugin_creator, plugin_creator_v3_one, plugin_registry, plugin_v2, plugin_v3};
use nvinfer::{Family, Version};
use std::ffi::{CStr, c_char};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The creators of the library: plugins of version 2, and from TensorRT 10 on of version 3.
const V2: &CStr = c"Simulated";
const V3: &CStr = c"SimulatedV3";
const VERSION: &CStr = c"1";

/// Objects that live as long as the process.
struct Lasting(Vec<This>);

// SAFETY: the objects are never changed or deleted.
unsafe impl Send for Lasting {}
// SAFETY: as above.
unsafe impl Sync for Lasting {}

type Registered = Mutex<Lasting>;

/// TensorRT's entry point: the registry.
// SAFETY: no other function of this name is in a process that loads this library as TensorRT; where a real TensorRT is
// loaded before it, callers have that one's.
#[unsafe(no_mangle)]
extern "C" fn getPluginRegistry() -> This {
    static REGISTRY: OnceLock<Lasting> = OnceLock::new();
    REGISTRY.get_or_init(|| Lasting(vec![registry()])).0[0]
}

/// A creator as the registry lists it, with what it makes.
struct Creator {
    name: &'static CStr,
    fields: RawPluginFieldCollection,
    plugin: This,
}

/// Whether a creator of this name and version is registered.
pub(crate) fn is_registered([wanted, number]: &[String; 2]) -> bool {
    // SAFETY: the registry is the one that was made here, and what is registered are creators of this library.
    let registered = unsafe { state::<Registered>(getPluginRegistry()) };
    let registered = registered.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: as above.
    let mut names = registered.0.iter().map(|creator| unsafe { state::<Creator>(*creator) }.name);
    names.any(|own| own.to_bytes() == wanted.as_bytes()) && VERSION.to_bytes() == number.as_bytes()
}

fn registry() -> This {
    // Every function below gets the registry that is made just here, and creators of this library.
    unsafe extern "C" fn register(this: This, creator: This, _namespace: *const c_char) -> bool {
        // SAFETY: see above.
        let mut registered = unsafe { state::<Registered>(this) }.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !registered.0.contains(&creator);
        if is_new {
            registered.0.push(creator);
        }
        is_new
    }
    unsafe extern "C" fn list(this: This, count: *mut i32) -> *const This {
        // SAFETY: see above; the count may be written.
        unsafe {
            let registered = state::<Registered>(this).lock().unwrap_or_else(PoisonError::into_inner);
            *count = registered.0.len() as i32;
            registered.0.as_ptr()
        }
    }
    unsafe extern "C" fn find(this: This, wanted: *const c_char, number: *const c_char, _: *const c_char) -> This {
        // SAFETY: see above; names end with a zero.
        unsafe {
            let registered = state::<Registered>(this).lock().unwrap_or_else(PoisonError::into_inner);
            let is = |creator: &&This| state::<Creator>(**creator).name == name(wanted) && name(number) == VERSION;
            registered.0.iter().find(is).copied().unwrap_or(std::ptr::null_mut())
        }
    }
    let methods = [
        (&plugin_registry::REGISTER_CREATOR, register as *const ()),
        (&plugin_registry::REGISTER_CREATOR_INTERFACE, register as *const ()),
        (&plugin_registry::GET_PLUGIN_CREATOR_LIST, list as *const ()),
        (&plugin_registry::GET_ALL_CREATORS, list as *const ()),
        (&plugin_registry::GET_PLUGIN_CREATOR, find as *const ()),
        (&plugin_registry::GET_CREATOR, find as *const ()),
    ];
    make_direct(version(), &methods, Mutex::new(Lasting(Vec::new())))
}

/// A plugin library's entry point: its creators of plugins of version 2.
///
/// # Safety
/// The count may be written.
// SAFETY: callers look it up in this library alone.
#[unsafe(no_mangle)]
unsafe extern "C" fn getPluginCreators(count: *mut i32) -> *const This {
    static CREATORS: OnceLock<Lasting> = OnceLock::new();
    let creators = CREATORS.get_or_init(|| Lasting(serving().map(creator_v2).into_iter().collect()));
    // SAFETY: the caller's promise.
    unsafe { *count = creators.0.len() as i32 };
    creators.0.as_ptr()
}

/// A plugin library's entry point: its creators of plugins of version 3.
///
/// # Safety
/// The count may be written.
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn getCreators(count: *mut i32) -> *const This {
    static CREATORS: OnceLock<Lasting> = OnceLock::new();
    let newer = || serving().filter(|version| version.family() != Family::Trt8);
    let creators = CREATORS.get_or_init(|| Lasting(newer().map(creator_v3).into_iter().collect()));
    // SAFETY: the caller's promise.
    unsafe { *count = creators.0.len() as i32 };
    creators.0.as_ptr()
}

/// The version of the TensorRT that loads this library, whose symbols are visible then.
fn serving() -> Option<Version> {
    let process = libloading::os::unix::Library::this();
    // SAFETY: every TensorRT has this entry point, of this type.
    let reported = unsafe { process.get::<extern "C" fn() -> i32>(b"getInferLibVersion\0") };
    Version::from_reported(reported.ok()?()).ok()
}

extern "C" fn number(_: This) -> *const c_char {
    VERSION.as_ptr()
}

extern "C" fn no_namespace(_: This) -> *const c_char {
    c"".as_ptr()
}

extern "C" fn ignore(_: This, _: *const c_char) {}

/// `APILanguage::kCPP`.
extern "C" fn cpp(_: This) -> i32 {
    0
}

extern "C" fn info_v2(_: This) -> InterfaceInfo {
    InterfaceInfo { kind: c"PLUGIN CREATOR_V1".as_ptr(), major: 1, minor: 0 }
}

extern "C" fn info_v3(_: This) -> InterfaceInfo {
    InterfaceInfo { kind: c"PLUGIN CREATOR_V3ONE".as_ptr(), major: 1, minor: 0 }
}

/// Of plugins that are never run: they live as long as the process.
extern "C" fn nothing(_: This) {}

/// # Safety
/// `this` is a creator of this library.
unsafe extern "C" fn title(this: This) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { state::<Creator>(this) }.name.as_ptr()
}

/// # Safety
/// `this` is a creator of this library.
unsafe extern "C" fn fields(this: This) -> *const RawPluginFieldCollection {
    // SAFETY: the caller's promise.
    unsafe { &raw const state::<Creator>(this).fields }
}

/// A plugin where each field is called `factor`; null otherwise.
///
/// # Safety
/// `this` is a creator of this library, the fields are alive.
unsafe extern "C" fn create(this: This, _: *const c_char, given: *const RawPluginFieldCollection) -> This {
    // SAFETY: the caller's promise.
    unsafe {
        let RawPluginFieldCollection { count, fields } = *given;
        let known = (0..count as usize).all(|index| name((*fields.add(index)).name) == c"factor");
        if known { state::<Creator>(this).plugin } else { std::ptr::null_mut() }
    }
}

fn creator(name: &'static CStr, plugin: This) -> Creator {
    /// `PluginFieldType::kFLOAT32`, in every version.
    const FLOAT32: i32 = 1;
    let field = RawPluginField { name: c"factor".as_ptr(), data: std::ptr::null(), kind: FLOAT32, length: 1 };
    let fields = RawPluginFieldCollection { count: 1, fields: Box::leak(Box::new(field)) };
    Creator { name, fields, plugin }
}

fn creator_v2(version: Version) -> This {
    let plugin = make_direct(version, &[(&plugin_v2::DESTROY, nothing as *const ())], ());
    let methods = [
        (&plugin_creator::GET_API_LANGUAGE, cpp as *const ()),
        (&plugin_creator::GET_INTERFACE_INFO, info_v2 as *const ()),
        (&plugin_creator::GET_PLUGIN_NAME, title as *const ()),
        (&plugin_creator::GET_PLUGIN_VERSION, number as *const ()),
        (&plugin_creator::GET_PLUGIN_NAMESPACE, no_namespace as *const ()),
        (&plugin_creator::SET_PLUGIN_NAMESPACE, ignore as *const ()),
        (&plugin_creator::GET_FIELD_NAMES, fields as *const ()),
        (&plugin_creator::CREATE_PLUGIN, create as *const ()),
    ];
    make_direct(version, &methods, creator(V2, plugin))
}

fn creator_v3(version: Version) -> This {
    let plugin = make_direct(version, &[(&plugin_v3::DELETING_DESTRUCTOR, nothing as *const ())], ());
    let methods = [
        (&plugin_creator_v3_one::GET_API_LANGUAGE, cpp as *const ()),
        (&plugin_creator_v3_one::GET_INTERFACE_INFO, info_v3 as *const ()),
        (&plugin_creator_v3_one::GET_PLUGIN_NAME, title as *const ()),
        (&plugin_creator_v3_one::GET_PLUGIN_VERSION, number as *const ()),
        (&plugin_creator_v3_one::GET_PLUGIN_NAMESPACE, no_namespace as *const ()),
        (&plugin_creator_v3_one::GET_FIELD_NAMES, fields as *const ()),
        // Takes the phase behind the others, which it does not look at.
        (&plugin_creator_v3_one::CREATE_PLUGIN, create as *const ()),
    ];
    make_direct(version, &methods, creator(V3, plugin))
}
