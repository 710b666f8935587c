//! Every declared call has the signature that the tables give for its slot, and calls reach objects laid out as
//! TensorRT's are, with `Dims` passed as each version takes them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::c_void;

use super::{build, engine, made, network, plugins};
use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::network::{axes, indexing, moving, pointwise, quantize, transformer, windows};
use crate::sys::layout::{Dims32, Dims64};
use crate::sys::{Method, tables};
use crate::testing::{Fake, host, versions};
use crate::version::Family;

fn declared() -> Vec<(&'static Method, String)> {
    [
        build::builder::declared(),
        build::config::declared(),
        build::profile::declared(),
        build::timing_cache::declared(),
        build::algorithm::declared(),
        build::algorithm_context::declared(),
        build::algorithm_variant::declared(),
        build::host_memory::declared(),
        engine::runtime::declared(),
        engine::runtime_config::declared(),
        engine::runtime_cache::declared(),
        engine::serialization_config::declared(),
        engine::cuda_engine::declared(),
        engine::context::declared(),
        engine::inspector::declared(),
        engine::refitter::declared(),
        network::network_definition::declared(),
        network::tensor::declared(),
        network::layer::declared(),
        network::loops::declared(),
        network::conditional::declared(),
        network::attention::declared(),
        plugins::declared(),
        layers(),
    ]
    .concat()
}

/// The declarations of the files of layers.
fn layers() -> Vec<(&'static Method, String)> {
    macro_rules! families {
        ($($family:ident),*) => {
            [$($family::added::declared(), $family::set::declared(), $family::raw::declared()),*].concat()
        };
    }
    let by_hand = [
        moving::raw::shuffle::declared(),
        transformer::raw::rotary_embedding::declared(),
        windows::raw::convolution::declared(),
        windows::raw::resize::declared(),
    ];
    let families = families!(axes, indexing, moving, pointwise, quantize, transformer, windows);
    [families, by_hand.concat()].concat()
}

#[test]
fn declarations_have_the_tables_signatures() {
    let wrong: Vec<String> = declared()
        .iter()
        .filter(|(method, signature)| method.signature != signature)
        .map(|(method, signature)| format!("{}: {signature}, not {}", method.full_name(), method.signature))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every layer that TensorRT 11 can add is declared, but for calls that a newer one replaces.
#[test]
fn every_way_to_add_a_layer_is_declared() {
    let replaced = BTreeSet::from([
        "addScale",
        "addGather",
        "addConvolution",
        "addPooling",
        "addDeconvolution",
        "addPadding",
        "addFullyConnected",
        "addRNNv2",
        "addSqueezeV2",
    ]);
    let declared: BTreeSet<&str> = declared().iter().map(|(m, _)| m.name).collect();
    let missing: Vec<&str> = crate::sys::tables::network_definition::ALL
        .iter()
        .map(|m| m.name)
        .filter(|name| name.starts_with("add") && !declared.contains(name) && !replaced.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

thread_local! {
    /// What a fake was called with.
    static SEEN: RefCell<Vec<Vec<i64>>> = const { RefCell::new(Vec::new()) };
    /// The recorder that a fake reports to.
    static RECORDER: Cell<*mut c_void> = const { Cell::new(std::ptr::null_mut()) };
}

fn see(dims: [Option<Dims>; 3]) -> *mut c_void {
    SEEN.set(dims.map(|d| d.unwrap().to_vec()).to_vec());
    std::ptr::without_provenance_mut(0x8000)
}

extern "C" fn slice_value_32(_: *mut c_void, _: *mut c_void, a: Dims32, b: Dims32, c: Dims32) -> *mut c_void {
    see([a, b, c].map(|d| Dims::from_32(&d)))
}

extern "C" fn slice_reference_64(_: *mut c_void, _: *mut c_void, a: &Dims64, b: &Dims64, c: &Dims64) -> *mut c_void {
    see([a, b, c].map(Dims::from_64))
}

#[test]
fn dims_arrive_by_value_in_8_and_by_reference_later() -> Result<()> {
    for version in versions() {
        let old = version.family() == Family::Trt8;
        let function = if old { slice_value_32 as *const () } else { slice_reference_64 as *const () };
        let fake = Fake::new(version, &[(&tables::network_definition::ADD_SLICE, function)]);
        let host = host(version);
        let (start, size) = (Dims::new(&[0, 1, 2])?, Dims::new(&[3, -1, 5, 6, 7, 8, 9, 10])?);
        let huge = Dims::new(&[1 << 40])?;
        let slice = |stride: &Dims| {
            let input = std::ptr::null_mut();
            // SAFETY: the fake takes what the call passes.
            unsafe { moving::raw::add_slice(fake.handle(&host), input, &start, &size, stride) }
        };
        assert_eq!(slice(&Dims::new(&[])?)?.as_ptr().addr(), 0x8000);
        assert_eq!(SEEN.take(), [vec![0, 1, 2], vec![3, -1, 5, 6, 7, 8, 9, 10], vec![]], "{version}");
        match slice(&huge) {
            Err(Error::DimsTooLarge { .. }) => assert!(old),
            other => assert!(other.is_ok() && !old, "{version}: {other:?}"),
        }
    }
    Ok(())
}

extern "C" fn stride_32(_: *mut c_void) -> Dims32 {
    Dims32 { rank: 2, d: [3, 4, 0, 0, 0, 0, 0, 0] }
}

extern "C" fn stride_64(_: *mut c_void) -> Dims64 {
    Dims64 { rank: 2, d: [3, 4, 0, 0, 0, 0, 0, 0] }
}

extern "C" fn no_dims_64(_: *mut c_void) -> Dims64 {
    Dims64 { rank: -1, d: [0; 8] }
}

#[test]
fn dims_return_with_each_versions_width() -> Result<()> {
    for version in versions() {
        let old = version.family() == Family::Trt8;
        let method = &tables::convolution_layer::GET_STRIDE_ND;
        let host = host(version);
        let fake = Fake::new(version, &[(method, if old { stride_32 as *const () } else { stride_64 as *const () })]);
        // SAFETY: the fake returns what the call reads.
        assert_eq!(unsafe { windows::raw::convolution::stride_nd(fake.handle(&host)) }?, [3, 4], "{version}");
        if !old {
            let fake = Fake::new(version, &[(method, no_dims_64 as *const ())]);
            // SAFETY: as above.
            let none = unsafe { windows::raw::convolution::stride_nd(fake.handle(&host)) };
            assert!(matches!(none, Err(Error::Refused { .. })), "{none:?}");
        }
    }
    Ok(())
}

/// A setter that reports an error, as TensorRT does; its value is the error's code.
extern "C" fn complain(_: *mut c_void, axis: i32) {
    if axis > 7 {
        crate::recorder::report_error(RECORDER.get(), axis, c"axis out of range".as_ptr());
    }
}

#[test]
fn a_setter_that_records_an_error_is_refused() {
    for version in versions() {
        let fake = Fake::new(version, &[(&tables::concatenation_layer::SET_AXIS, complain as *const ())]);
        let host = host(version);
        RECORDER.set(host.recorder.as_ptr());
        let set = |axis| {
            // SAFETY: the fake takes what the call passes.
            unsafe { moving::set::concatenation_layer::set_axis(fake.handle(&host), axis) }
        };
        assert!(set(1).is_ok());
        let error = set(9).unwrap_err().to_string();
        let expected = "TensorRT refused IConcatenationLayer::setAxis\n  error: axis out of range";
        assert_eq!(error, expected);
        assert!(set(1).is_ok(), "an old error is not this call's");
    }
}

#[test]
fn a_missing_call_is_not_made() -> Result<()> {
    let old = versions()[0];
    // A table without a single function: any call would crash.
    let fake = Fake::new(old, &[(&tables::network_definition::ADD_INPUT, std::ptr::null())]);
    let host = host(old);
    let (input, handle) = (std::ptr::null_mut(), fake.handle(&host));
    // SAFETY: the call is refused before it is made.
    let error = unsafe { moving::added::add_squeeze(handle, input, input) }.unwrap_err();
    let text = "INetworkDefinition::addSqueeze is not in TensorRT 8.6.1; it is in TensorRT 10.7 and later, \
                TensorRT-RTX 1.3 and later";
    assert_eq!(error.to_string(), text);
    Ok(())
}

#[test]
fn an_offset_from_null_is_no_object() {
    for (address, is_object) in [(0, false), (0x228, false), (0x7f00_0000_1000, true)] {
        assert_eq!(made(std::ptr::without_provenance_mut(address)).is_some(), is_object, "{address:#x}");
    }
}
