//! Attributes of plugins, and the C structs that carry them.

use std::ffi::CString;

use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::object::text;
use crate::sys::layout::{Dims32, Dims64, MAX_DIMS, RawPluginField, RawPluginFieldCollection};
use crate::types::PluginFieldType;
use crate::version::{Family, Version};
use crate::weights::c_int;

/// An attribute that a plugin is created with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PluginField {
    /// Its name, which the creator looks for.
    pub name: String,
    /// Type of the elements.
    pub kind: PluginFieldType,
    /// The elements, in the machine's byte order. Of [`PluginFieldType::Dims`] each element is nine int64: the rank,
    /// then eight extents.
    pub data: Vec<u8>,
    /// Number of elements.
    pub length: usize,
}

/// An attribute that a creator knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownField {
    /// Its name.
    pub name: String,
    /// Type of its elements; none for one that this crate does not know.
    pub kind: Option<PluginFieldType>,
    /// Number of elements; 0 where any number is accepted.
    pub length: usize,
}

/// Bytes of one element of [`PluginFieldType::Dims`] in [`PluginField::data`].
const DIMS_BYTES: usize = (1 + MAX_DIMS) * size_of::<i64>();

/// The C structs of some attributes, with what they point to.
pub(super) struct Collection {
    _names: Vec<CString>,
    _data: Vec<Vec<u64>>,
    _fields: Vec<RawPluginField>,
    raw: RawPluginFieldCollection,
}

impl Collection {
    pub(super) fn new(fields: &[PluginField], version: Version) -> Result<Self> {
        let (mut names, mut data, mut raws) = (Vec::new(), Vec::new(), Vec::new());
        for field in fields {
            let name = crate::weights::c_text("the name of a plugin field", &field.name)?;
            let elements = aligned(&elements(field, version)?);
            raws.push(RawPluginField {
                name: name.as_ptr(),
                data: elements.as_ptr().cast(),
                kind: field.kind.number(version)?,
                length: c_int("the length of a plugin field", field.length)?,
            });
            // The heap blocks that the struct points to stay where they are when their owners move.
            names.push(name);
            data.push(elements);
        }
        let count = c_int("the number of plugin fields", raws.len())?;
        let raw = RawPluginFieldCollection { count, fields: raws.as_ptr() };
        Ok(Self { _names: names, _data: data, _fields: raws, raw })
    }

    pub(super) fn as_ptr(&self) -> *const RawPluginFieldCollection {
        &raw const self.raw
    }
}

/// The elements as the loaded version has them.
fn elements(field: &PluginField, version: Version) -> Result<Vec<u8>> {
    if field.kind != PluginFieldType::Dims {
        return Ok(field.data.clone());
    }
    let records = field.data.chunks_exact(DIMS_BYTES).map(|record| {
        let numbers: Vec<i64> = record.as_chunks().0.iter().map(|bytes| i64::from_ne_bytes(*bytes)).collect();
        let rank = usize::try_from(numbers[0]).unwrap_or(usize::MAX).min(MAX_DIMS);
        let dims = Dims::new(&numbers[1..=rank])?;
        if version.family() != Family::Trt8 {
            return Ok(wide(&dims.to_64()));
        }
        let too_large = || Error::DimsTooLarge { dims: dims.to_vec(), version };
        Ok(narrow(&dims.to_32().ok_or_else(too_large)?))
    });
    Ok(records.collect::<Result<Vec<_>>>()?.concat())
}

fn wide(dims: &Dims64) -> Vec<u8> {
    let mut bytes = dims.rank.to_ne_bytes().to_vec();
    bytes.resize(std::mem::offset_of!(Dims64, d), 0);
    bytes.extend(dims.d.iter().flat_map(|size| size.to_ne_bytes()));
    bytes
}

fn narrow(dims: &Dims32) -> Vec<u8> {
    let numbers = std::iter::once(&dims.rank).chain(&dims.d);
    numbers.flat_map(|number| number.to_ne_bytes()).collect()
}

/// The bytes at an address that fits elements of any type.
fn aligned(bytes: &[u8]) -> Vec<u64> {
    let words = bytes.chunks(size_of::<u64>()).map(|chunk| {
        let mut word = [0; size_of::<u64>()];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_ne_bytes(word)
    });
    words.collect()
}

/// What a creator knows, read from its collection.
///
/// # Safety
/// `collection` is null, or points to a `PluginFieldCollection` whose fields are alive.
pub(super) unsafe fn known(collection: *const RawPluginFieldCollection, version: Version) -> Vec<KnownField> {
    if collection.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise; the collection holds `count` fields.
    let fields = unsafe {
        let RawPluginFieldCollection { count, fields } = *collection;
        let count = usize::try_from(count).unwrap_or(0);
        if fields.is_null() || count == 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts(fields, count)
    };
    let read = |field: &RawPluginField| KnownField {
        // SAFETY: names of fields are NUL-terminated and live as long as the creator.
        name: unsafe { text(field.name) },
        kind: PluginFieldType::from_number(version, field.kind),
        length: usize::try_from(field.length).unwrap_or(0),
    };
    fields.iter().map(read).collect()
}
