//! The calls of plugins, of their creators and of the registry. None has an implementation object: the functions of the
//! object's own table are called, which a plugin library wrote, not TensorRT.

use std::ffi::{c_char, c_void};

use crate::sys::layout::{InterfaceInfo, RawPluginFieldCollection};

type Name = *const c_char;
type Object = *mut c_void;

pub mod registry {
    use super::{Name, Object};
    use crate::raw::call::Maybe;
    use std::ffi::c_void;

    crate::raw::calls! { plugin_registry at DIRECT {
        fn register_creator(creator: Object, namespace: Name) -> bool = REGISTER_CREATOR;
        fn register_creator_interface(creator: Object, namespace: Name) -> bool = REGISTER_CREATOR_INTERFACE;
        fn plugin_creator_list(count: *mut i32) -> Maybe<*mut c_void> = GET_PLUGIN_CREATOR_LIST;
        fn all_creators(count: *mut i32) -> Maybe<*mut c_void> = GET_ALL_CREATORS;
        fn plugin_creator(name: Name, version: Name, namespace: Name) -> Maybe<c_void> = GET_PLUGIN_CREATOR;
        fn creator(name: Name, version: Name, namespace: Name) -> Maybe<c_void> = GET_CREATOR;
    }}
}

/// Creators of plugins of version 2 (`IPluginCreator`).
pub mod creator_v2 {
    use super::{InterfaceInfo, Name, RawPluginFieldCollection};
    use crate::raw::call::{Made, Maybe, Text};

    crate::raw::calls! { plugin_creator at DIRECT {
        fn interface_info() -> InterfaceInfo = GET_INTERFACE_INFO;
        fn name() -> Text = GET_PLUGIN_NAME;
        fn version() -> Text = GET_PLUGIN_VERSION;
        fn namespace() -> Text = GET_PLUGIN_NAMESPACE;
        fn field_names() -> Maybe<RawPluginFieldCollection> = GET_FIELD_NAMES;
        fn create_plugin(name: Name, fields: *const RawPluginFieldCollection) -> Made = CREATE_PLUGIN;
        fn deserialize_plugin(name: Name, data: *const std::ffi::c_void, length: usize) -> Made = DESERIALIZE_PLUGIN;
    }}
}

/// Creators of plugins of version 3 (`IPluginCreatorV3One`).
pub mod creator_v3 {
    use super::{Name, RawPluginFieldCollection};
    use crate::raw::call::{Made, Maybe, Text};

    crate::raw::calls! { plugin_creator_v3_one at DIRECT {
        fn name() -> Text = GET_PLUGIN_NAME;
        fn version() -> Text = GET_PLUGIN_VERSION;
        fn namespace() -> Text = GET_PLUGIN_NAMESPACE;
        fn field_names() -> Maybe<RawPluginFieldCollection> = GET_FIELD_NAMES;
        fn create_plugin(name: Name, fields: *const RawPluginFieldCollection, phase: i32) -> Made = CREATE_PLUGIN;
    }}
}

pub mod plugin_v2 {
    crate::raw::calls! { plugin_v2 at DIRECT {
        fn destroy() -> () = DESTROY;
    }}
}

pub mod plugin_v3 {
    crate::raw::calls! { plugin_v3 at DIRECT {
        fn delete() -> () = DELETING_DESTRUCTOR;
    }}
}

#[cfg(test)]
pub fn declared() -> Vec<(&'static crate::sys::Method, String)> {
    [registry::declared(), creator_v2::declared(), creator_v3::declared(), plugin_v2::declared(), plugin_v3::declared()]
        .concat()
}
