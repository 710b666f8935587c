//! A registry, creators and plugins in the layout of every family, in place of TensorRT's and a library's.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::error::{Error, Result};
use crate::object::Object;
use crate::raw::network::network_definition;
use crate::sys::layout::{Dims32, Dims64, RawPluginField, RawPluginFieldCollection};
use crate::sys::tables::{self, plugin_creator, plugin_creator_v3_one, plugin_registry, plugin_v2, plugin_v3};
use crate::testing::{Fake, host, versions};
use crate::types::PluginFieldType;
use crate::version::{Family, Version};

/// What a creator was asked for: the layer's name, then name, type number, length and address of each field.
#[derive(Default)]
struct Made {
    layer: String,
    fields: Vec<(String, i32, i32, Vec<u8>)>,
}

struct Creator {
    version: Version,
    plugin: Mutex<*mut c_void>,
    made: Mutex<Made>,
    known: (CString, RawPluginField, RawPluginFieldCollection),
}

type CreatorObject = Object<Creator>;

extern "C" fn name(_: *mut c_void) -> *const c_char {
    c"Scale".as_ptr()
}

extern "C" fn number(_: *mut c_void) -> *const c_char {
    c"2".as_ptr()
}

extern "C" fn namespace(_: *mut c_void) -> *const c_char {
    c"mine".as_ptr()
}

extern "C" fn known_fields(this: *mut c_void) -> *const RawPluginFieldCollection {
    // SAFETY: `this` is the creator of a test.
    unsafe { &raw const CreatorObject::state(this).known.2 }
}

extern "C" fn create(this: *mut c_void, layer: *const c_char, fields: *const RawPluginFieldCollection) -> *mut c_void {
    // SAFETY: `this` is the creator of a test, the rest is what the call promises.
    unsafe {
        let state = CreatorObject::state(this);
        let fields = std::slice::from_raw_parts((*fields).fields, (*fields).count as usize);
        let read = |field: &RawPluginField| {
            let bytes = field.length as usize * width(state.version, field.kind);
            let data = std::slice::from_raw_parts(field.data.cast::<u8>(), bytes).to_vec();
            assert!(field.data.addr().is_multiple_of(8));
            (CStr::from_ptr(field.name).to_str().unwrap().to_owned(), field.kind, field.length, data)
        };
        let layer = CStr::from_ptr(layer).to_str().unwrap().to_owned();
        let made = Made { layer, fields: fields.iter().map(read).collect() };
        let refuses = made.layer.is_empty();
        *state.made.lock().unwrap() = made;
        if refuses { std::ptr::null_mut() } else { *state.plugin.lock().unwrap() }
    }
}

/// The plugin, where it was serialized as these three bytes.
extern "C" fn deserialize(this: *mut c_void, _: *const c_char, data: *const u8, length: usize) -> *mut c_void {
    // SAFETY: `this` is the creator of a test, the rest is what the call promises.
    unsafe {
        let plugin = *CreatorObject::state(this).plugin.lock().unwrap();
        if std::slice::from_raw_parts(data, length) == [7, 8, 9] { plugin } else { std::ptr::null_mut() }
    }
}

/// Of a creator of version 3, which is given the phase: building.
extern "C" fn create_v3(
    this: *mut c_void,
    layer: *const c_char,
    fields: *const RawPluginFieldCollection,
    phase: i32,
) -> *mut c_void {
    assert_eq!(phase, 0);
    create(this, layer, fields)
}

/// Bytes of an element of a type.
fn width(version: Version, kind: i32) -> usize {
    match PluginFieldType::from_number(version, kind).unwrap() {
        PluginFieldType::Float64 | PluginFieldType::Int64 => 8,
        PluginFieldType::Float32 | PluginFieldType::Int32 => 4,
        PluginFieldType::Float16 | PluginFieldType::Bf16 | PluginFieldType::Int16 => 2,
        PluginFieldType::Dims if version.family() == Family::Trt8 => size_of::<Dims32>(),
        PluginFieldType::Dims => size_of::<Dims64>(),
        _ => 1,
    }
}

extern "C" fn deleted(this: *mut c_void) {
    // SAFETY: `this` is the plugin of a test.
    unsafe { Object::<AtomicUsize>::state(this) }.fetch_add(1, Ordering::SeqCst);
}

type Registry = Mutex<Vec<*mut c_void>>;

extern "C" fn register(this: *mut c_void, creator: *mut c_void, namespace: *const c_char) -> bool {
    // SAFETY: `this` is the registry of a test, the namespace NUL-terminated.
    let (registry, namespace) = unsafe { (Object::<Registry>::state(this), CStr::from_ptr(namespace)) };
    assert_eq!(namespace, c"mine");
    let mut creators = registry.lock().unwrap();
    let is_new = !creators.contains(&creator);
    if is_new {
        creators.push(creator);
    }
    is_new
}

extern "C" fn list(this: *mut c_void, count: *mut i32) -> *const *mut c_void {
    // SAFETY: `this` is the registry of a test, the count may be written.
    unsafe {
        let creators = Object::<Registry>::state(this).lock().unwrap();
        *count = creators.len() as i32;
        creators.as_ptr()
    }
}

extern "C" fn find(
    this: *mut c_void,
    name: *const c_char,
    version: *const c_char,
    space: *const c_char,
) -> *mut c_void {
    // SAFETY: `this` is the registry of a test, the names NUL-terminated.
    let (registry, names) =
        unsafe { (Object::<Registry>::state(this), [name, version, space].map(|text| CStr::from_ptr(text))) };
    if names == [c"Scale", c"2", c"mine"] { registry.lock().unwrap()[0] } else { std::ptr::null_mut() }
}

/// A registry with one creator of plugins of an interface, as a library of this version would have it.
struct Library {
    version: Version,
    plugin: Box<Object<AtomicUsize>>,
    creator: Box<CreatorObject>,
    registry: Box<Object<Registry>>,
}

impl Library {
    fn new(version: Version, api: PluginApi) -> Self {
        let plugin = match api {
            PluginApi::V2 => {
                let methods = [(&plugin_v2::DESTROY, deleted as *const ())];
                Object::new(version, plugin_v2::ALL, c"IPluginV2", &methods, AtomicUsize::default())
            }
            PluginApi::V3 => {
                let methods = [(&plugin_v3::DELETING_DESTRUCTOR, deleted as *const ())];
                Object::new(version, plugin_v3::ALL, c"PLUGIN_V3", &methods, AtomicUsize::default())
            }
        };
        let known = CString::from(c"factor");
        let kind = PluginFieldType::Float32.number(version).unwrap();
        let field = RawPluginField { name: known.as_ptr(), data: std::ptr::null(), kind, length: 1 };
        let collection = RawPluginFieldCollection { count: 1, fields: std::ptr::null() };
        let made = Mutex::default();
        let state = Creator { version, plugin: Mutex::new(plugin.as_ptr()), made, known: (known, field, collection) };
        let mut creator = match api {
            PluginApi::V2 => {
                let methods = [
                    (&plugin_creator::GET_PLUGIN_NAME, name as *const ()),
                    (&plugin_creator::GET_PLUGIN_VERSION, number as *const ()),
                    (&plugin_creator::GET_PLUGIN_NAMESPACE, namespace as *const ()),
                    (&plugin_creator::GET_FIELD_NAMES, known_fields as *const ()),
                    (&plugin_creator::CREATE_PLUGIN, create as *const ()),
                    (&plugin_creator::DESERIALIZE_PLUGIN, deserialize as *const ()),
                ];
                Object::new(version, plugin_creator::ALL, c"PLUGIN CREATOR_V1", &methods, state)
            }
            PluginApi::V3 => {
                let methods = [
                    (&plugin_creator_v3_one::GET_PLUGIN_NAME, name as *const ()),
                    (&plugin_creator_v3_one::GET_PLUGIN_VERSION, number as *const ()),
                    (&plugin_creator_v3_one::GET_PLUGIN_NAMESPACE, namespace as *const ()),
                    (&plugin_creator_v3_one::GET_FIELD_NAMES, known_fields as *const ()),
                    (&plugin_creator_v3_one::CREATE_PLUGIN, create_v3 as *const ()),
                ];
                Object::new(version, plugin_creator_v3_one::ALL, c"PLUGIN CREATOR_V3ONE", &methods, state)
            }
        };
        let field = &raw const creator.state.known.1;
        creator.state.known.2.fields = field;
        let methods = [
            (&plugin_registry::REGISTER_CREATOR, register as *const ()),
            (&plugin_registry::REGISTER_CREATOR_INTERFACE, register as *const ()),
            (&plugin_registry::GET_PLUGIN_CREATOR_LIST, list as *const ()),
            (&plugin_registry::GET_ALL_CREATORS, list as *const ()),
            (&plugin_registry::GET_PLUGIN_CREATOR, find as *const ()),
            (&plugin_registry::GET_CREATOR, find as *const ()),
        ];
        let registry = Object::new(version, plugin_registry::ALL, c"IPluginRegistry", &methods, Mutex::default());
        Self { version, plugin, creator, registry }
    }

    fn registry(&self) -> PluginRegistry {
        let ptr = NonNull::new(self.registry.as_ptr()).unwrap();
        // SAFETY: the object lives as long as the test.
        unsafe { PluginRegistry::new(ptr, host(self.version)) }
    }

    fn registered(&self) -> PluginRegistry {
        let registry = self.registry();
        for _ in 0..2 {
            // SAFETY: the creator lives as long as the test. Registering it again does nothing.
            unsafe { registry.register(NonNull::new(self.creator.as_ptr()).unwrap()) }.unwrap();
        }
        registry
    }
}

/// Every version with the interfaces of plugins that it has.
fn each() -> impl Iterator<Item = Library> {
    let apis = |version: Version| match version.family() {
        Family::Trt8 => vec![PluginApi::V2],
        _ => vec![PluginApi::V2, PluginApi::V3],
    };
    versions().into_iter().flat_map(move |v| apis(v).into_iter().map(move |api| Library::new(v, api)))
}

#[test]
fn finds_and_lists_creators_in_every_version() -> Result<()> {
    for library in each() {
        let registry = library.registered();
        let creators = registry.creators()?;
        assert_eq!(creators.len(), 1, "{}", library.version);
        let creator = registry.creator("Scale", "2", "mine")?;
        assert_eq!([creator.name(), creator.version(), creator.namespace()], ["Scale", "2", "mine"]);
        assert_eq!(creator.api(), creators[0].api());
        let known = KnownField { name: "factor".into(), kind: Some(PluginFieldType::Float32), length: 1 };
        assert_eq!(creator.fields(), [known]);
        let error = registry.creator("Skale", "2", "").unwrap_err().to_string();
        assert_eq!(error, "no plugin creator is registered for `Skale 2`; registered are mine::Scale 2");
    }
    Ok(())
}

/// A field of each type of a version, of two elements.
fn fields(version: Version) -> Vec<PluginField> {
    let kinds = PluginFieldType::ALL.iter().filter(|kind| kind.is_in(version));
    let field = |kind: &PluginFieldType| {
        let data = if *kind == PluginFieldType::Dims {
            let record = |dims: [i64; 9]| dims.map(i64::to_ne_bytes).concat();
            [record([2, 3, -1, 0, 0, 0, 0, 0, 0]), record([1, 7, 0, 0, 0, 0, 0, 0, 0])].concat()
        } else {
            (0..2 * width(version, kind.number(version).unwrap())).map(|byte| byte as u8 + 1).collect()
        };
        PluginField { name: kind.name().to_lowercase(), kind: *kind, data, length: 2 }
    };
    kinds.map(field).collect()
}

#[test]
fn fields_of_every_type_arrive_and_a_plugin_is_deleted_once() -> Result<()> {
    for library in each() {
        let version = library.version;
        let creator = library.registered().creator("Scale", "2", "mine")?;
        let given = fields(version);
        let plugin = creator.create("block.scale", &given)?;
        let made = std::mem::take(&mut *library.creator.state.made.lock().unwrap());
        assert_eq!(made.layer, "block.scale");
        assert_eq!(made.fields.len(), given.len());
        for (field, (name, kind, length, data)) in given.iter().zip(&made.fields) {
            assert_eq!((name, *kind, *length), (&field.name, field.kind.number(version)?, 2));
            if field.kind != PluginFieldType::Dims {
                assert_eq!(*data, field.data, "{version} {name}");
            } else if version.family() == Family::Trt8 {
                let [first, second] = [&data[..36], &data[36..]].map(|half| half.as_chunks().0.to_vec());
                assert_eq!(first.iter().map(|b| i32::from_ne_bytes(*b)).collect::<Vec<_>>()[..3], [2, 3, -1]);
                assert_eq!(second.iter().map(|b| i32::from_ne_bytes(*b)).collect::<Vec<_>>()[..2], [1, 7]);
            } else {
                assert_eq!(data[..4], 2i32.to_ne_bytes());
                assert_eq!(data[8..24], [3i64, -1].map(i64::to_ne_bytes).concat());
                assert_eq!(data[72..76], 1i32.to_ne_bytes());
            }
        }
        assert_eq!(library.plugin.state.load(Ordering::SeqCst), 0);
        drop(plugin);
        assert_eq!(library.plugin.state.load(Ordering::SeqCst), 1, "{version}");
        let refused = creator.create("", &[]).unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    }
    Ok(())
}

#[test]
fn a_creator_of_another_interface_is_named() -> Result<()> {
    for library in each().filter(|library| library.version.family() != Family::Trt8) {
        let methods = [(&plugin_creator_v3_one::GET_PLUGIN_NAME, name as *const ())];
        let kind = c"PLUGIN CREATOR_V3QUICK";
        let quick = Object::new(library.version, plugin_creator_v3_one::ALL, kind, &methods, AtomicUsize::default());
        library.registry.state.lock().unwrap().push(quick.as_ptr());
        let registry = library.registry();
        assert!(registry.creators()?.is_empty());
        let error = registry.creator("Scale", "2", "mine").unwrap_err();
        assert!(matches!(&error, Error::PluginCreatorKind { kind, .. } if kind == "PLUGIN CREATOR_V3QUICK"), "{error}");
        assert!(error.to_string().contains("`mine::Scale 2`"), "{error}");
        assert!(matches!(registry.creator("Other", "2", "mine"), Err(Error::NoPluginCreator { .. })));
    }
    Ok(())
}

#[test]
fn a_serialized_plugin_is_made_by_creators_of_version_2() -> Result<()> {
    for library in each() {
        let creator = library.registered().creator("Scale", "2", "mine")?;
        match creator.deserialize("layer", &[7, 8, 9]) {
            Err(error) => {
                assert!(creator.api() == PluginApi::V3 && matches!(error, Error::OutOfRange { .. }), "{error}");
            }
            Ok(_) => assert!(matches!(creator.deserialize("layer", &[7]), Err(Error::Refused { .. }))),
        }
        assert_eq!(library.plugin.state.load(Ordering::SeqCst), usize::from(creator.api() == PluginApi::V2));
    }
    Ok(())
}

#[test]
fn a_type_that_a_version_lacks_is_an_error() -> Result<()> {
    let library = Library::new(versions()[0], PluginApi::V2);
    let creator = library.registered().creator("Scale", "2", "mine")?;
    let field = PluginField { name: "x".into(), kind: PluginFieldType::Int64, data: vec![0; 8], length: 1 };
    let error = creator.create("layer", &[field]).unwrap_err();
    assert!(error.to_string().starts_with("PluginFieldType::kINT64 is not in TensorRT 8.6.1"), "{error}");
    Ok(())
}

extern "C" fn add_v2(_: *mut c_void, inputs: *const *mut c_void, count: i32, plugin: *mut c_void) -> *mut c_void {
    // SAFETY: the test passes two inputs.
    assert_eq!((count, unsafe { *inputs.add(1) }), (2, std::ptr::without_provenance_mut(2)));
    plugin
}

extern "C" fn add_v3(
    this: *mut c_void,
    inputs: *const *mut c_void,
    count: i32,
    shapes: *const *mut c_void,
    shape_count: i32,
    plugin: *mut c_void,
) -> *mut c_void {
    // SAFETY: the test passes one shape tensor.
    assert_eq!((shape_count, unsafe { *shapes }), (1, std::ptr::without_provenance_mut(3)));
    add_v2(this, inputs, count, plugin)
}

#[test]
fn layers_are_added_by_the_call_of_their_interface() -> Result<()> {
    let table = &tables::network_definition::ADD_PLUGIN_V2;
    for version in versions() {
        let (host, plugin) = (host(version), std::ptr::without_provenance_mut(0x8000));
        let tensors = [1, 2, 3].map(std::ptr::without_provenance_mut::<c_void>);
        if table.slot(version).is_none() {
            assert!(version.family().is_rtx());
            continue;
        }
        let fake = Fake::new(version, &[(table, add_v2 as *const ())]);
        // SAFETY: the fake takes what the call passes.
        let made = unsafe { network_definition::add_plugin_v2(fake.handle(&host), tensors.as_ptr(), 2, plugin) };
        assert_eq!(made?.as_ptr(), plugin);
        if version.family() == Family::Trt8 {
            continue;
        }
        let fake = Fake::new(version, &[(&tables::network_definition::ADD_PLUGIN_V3, add_v3 as *const ())]);
        let shapes = &tensors[2..];
        // SAFETY: as above.
        let made = unsafe {
            network_definition::add_plugin_v3(fake.handle(&host), tensors.as_ptr(), 2, shapes.as_ptr(), 1, plugin)
        };
        assert_eq!(made?.as_ptr(), plugin);
    }
    Ok(())
}
