//! Weights: from the storages in an archive to elements in order.
//!
//! A storage that holds its tensor in order is lent as it is; tied weights share one. Others (transposed, expanded,
//! parts with gaps) are copied into order. The file must not know of graphs.

use crate::model::{Number, Payload, Payloads, TensorMeta};
use crate::zip::Entries;
use crate::{Error, Result};
use bytes::Bytes;
use program::ScalarType;
use std::collections::HashMap;
use std::str::FromStr;

/// Most bytes that copies into order take beyond the size of the file: an expanded tensor is larger than its storage,
/// and a few bytes of a file must not become all of the memory.
const MAX_EXPANDED: usize = 1 << 30;

/// PyTorch's own bound.
const MAX_RANK: usize = 64;

/// A tensor that an archive has.
pub(crate) struct Tensor {
    pub(crate) dtype: ScalarType,
    pub(crate) dims: Vec<i64>,
    /// The elements, row-major.
    pub(crate) data: Bytes,
}

/// All weights of an archive, read when they are asked for.
pub(crate) struct Weights<'e> {
    entries: &'e Entries,
    /// Folder of the storages, and what is in them by the names of tensors.
    folders: [(String, HashMap<String, Payload>); 2],
    storages: HashMap<String, Bytes>,
    /// Bytes that copies may still take.
    room: usize,
}

impl<'e> Weights<'e> {
    /// The weights of the model of that name; `root` is the folder of the archive, with a slash at its end.
    pub(crate) fn new(entries: &'e Entries, root: &str, model: &str) -> Result<Self> {
        let folder = |kind: &str| -> Result<(String, HashMap<String, Payload>)> {
            let folder = format!("{root}data/{kind}/");
            let config = format!("{folder}{model}_{kind}_config.json");
            if !entries.has(&config) {
                return Ok((folder, HashMap::new()));
            }
            let read = serde_json::from_slice::<Payloads>(&entries.get(&config)?);
            let read = read.map_err(|problem| Error::inconsistent(format!("`{config}`: {problem}")))?;
            Ok((folder, read.config))
        };
        let room = entries.len().saturating_add(MAX_EXPANDED);
        Ok(Self { entries, folders: [folder("weights")?, folder("constants")?], storages: HashMap::new(), room })
    }

    /// A tensor by its name in the model.
    pub(crate) fn get(&mut self, name: &str) -> Result<Tensor> {
        let found = self.folders.iter().find_map(|(folder, config)| Some((folder, config.get(name)?)));
        let (folder, payload) = found.ok_or_else(|| Error::damaged(format!("it has no values for `{name}`")))?;
        let meta =
            payload.tensor_meta.as_ref().filter(|_| !payload.use_pickle).ok_or_else(|| Error::Inexpressible {
                problem: format!("`{name}` is an object that is no plain tensor"),
                at: String::new(),
                help: "convert it to a dense tensor before the export".to_owned(),
            })?;
        let view = View::new(name, meta)?;
        let path = format!("{folder}{}", payload.path_name);
        let data = match view.bytes {
            0 => Bytes::new(),
            _ => view.read(name, &storage(self.entries, &mut self.storages, path)?, &mut self.room)?,
        };
        Ok(Tensor { dtype: view.dtype, dims: view.dims, data })
    }
}

/// A storage; its checksum is compared once.
fn storage(entries: &Entries, known: &mut HashMap<String, Bytes>, path: String) -> Result<Bytes> {
    if let Some(bytes) = known.get(&path) {
        return Ok(bytes.clone());
    }
    let bytes = entries.get(&path)?;
    known.insert(path, bytes.clone());
    Ok(bytes)
}

/// How a tensor is laid out in its storage, in elements.
struct View {
    dtype: ScalarType,
    dims: Vec<i64>,
    sizes: Vec<usize>,
    strides: Vec<usize>,
    offset: usize,
    /// Bytes of all elements.
    bytes: usize,
}

impl View {
    fn new(name: &str, meta: &TensorMeta) -> Result<Self> {
        let wrong = |what: &str| Error::inconsistent(format!("the {what} of `{name}`"));
        if meta.sizes.len() > MAX_RANK {
            return Err(wrong("rank"));
        }
        if meta.layout.is_some_and(|layout| layout != STRIDED) {
            return Err(Error::Inexpressible {
                problem: format!("`{name}` is a tensor of layout {}", meta.layout.unwrap_or_default()),
                at: String::new(),
                help: "convert it to a dense tensor before the export".to_owned(),
            });
        }
        let dtype = dtype(meta.dtype).ok_or_else(|| wrong("dtype"))?;
        let dims: Option<Vec<i64>> = meta.sizes.iter().map(number).collect();
        let dims = dims.ok_or_else(|| wrong("sizes"))?;
        let sizes: Option<Vec<usize>> = dims.iter().map(|size| usize::try_from(*size).ok()).collect();
        let sizes = sizes.ok_or_else(|| wrong("sizes"))?;
        let strides: Option<Vec<usize>> =
            meta.strides.iter().map(|stride| usize::try_from(number(stride)?).ok()).collect();
        let strides = strides.filter(|strides| strides.len() == sizes.len()).ok_or_else(|| wrong("strides"))?;
        let offset =
            meta.storage_offset.as_ref().map_or(Some(0), number).and_then(|offset| usize::try_from(offset).ok());
        let offset = offset.ok_or_else(|| wrong("storage offset"))?;
        let bytes = if sizes.contains(&0) {
            Some(0)
        } else {
            sizes.iter().try_fold(dtype.size(), |all, size| all.checked_mul(*size))
        };
        let bytes = bytes.ok_or_else(|| wrong("sizes"))?;
        Ok(Self { dtype, dims, sizes, strides, offset, bytes })
    }

    /// The bytes of its elements in order; it has some.
    fn read(&self, name: &str, storage: &Bytes, room: &mut usize) -> Result<Bytes> {
        let outside = || {
            let have = storage.len();
            Error::inconsistent(format!("`{name}` reaches beyond the {have} bytes of its storage"))
        };
        let unit = self.dtype.size();
        let mut steps = self.sizes.iter().zip(&self.strides);
        let last =
            steps.try_fold(self.offset, |last, (size, stride)| last.checked_add((size - 1).checked_mul(*stride)?));
        let end = last.and_then(|last| last.checked_add(1)?.checked_mul(unit)).filter(|end| *end <= storage.len());
        end.ok_or_else(outside)?;
        if self.is_in_order() {
            let start = self.offset * unit;
            return Ok(storage.slice(start..start + self.bytes));
        }
        *room = room.checked_sub(self.bytes).ok_or_else(|| {
            Error::inconsistent(format!("`{name}` and others are more than {MAX_EXPANDED} bytes larger than the file"))
        })?;
        let mut made = Vec::new();
        made.try_reserve_exact(self.bytes)
            .map_err(|_| Error::inconsistent(format!("`{name}` has no room in memory")))?;
        self.gather(storage, unit, 0, self.offset, &mut made);
        Ok(made.into())
    }

    /// Whether the elements lie one after the other.
    fn is_in_order(&self) -> bool {
        let mut expected = 1;
        for (size, stride) in self.sizes.iter().zip(&self.strides).rev() {
            if *size != 1 && *stride != expected {
                return false;
            }
            expected *= size;
        }
        true
    }

    /// Appends the elements from an axis on. Everything was found to lie in the storage.
    fn gather(&self, storage: &[u8], unit: usize, axis: usize, start: usize, made: &mut Vec<u8>) {
        let (Some(size), Some(stride)) = (self.sizes.get(axis), self.strides.get(axis)) else {
            made.extend(storage.get(start * unit..(start + 1) * unit).unwrap_or_default());
            return;
        };
        for index in 0..*size {
            self.gather(storage, unit, axis + 1, start + index * stride, made);
        }
    }
}

/// A number that the archive knows.
fn number(number: &Number) -> Option<i64> {
    if let Number::Int(value) = number { Some(*value) } else { None }
}

/// The layout of dense tensors in the export schema.
pub(crate) const STRIDED: u32 = 7;

/// The export schema's `ScalarType`; `None` for one that programs do not have.
pub(crate) fn dtype(value: u32) -> Option<ScalarType> {
    let name = match value {
        1 => "uint8",
        2 => "int8",
        3 => "int16",
        4 => "int32",
        5 => "int64",
        6 => "float16",
        7 => "float32",
        8 => "float64",
        10 => "complex64",
        11 => "complex128",
        12 => "bool",
        13 => "bfloat16",
        29 => "float8_e4m3fn",
        30 => "float8_e5m2",
        _ => return None,
    };
    ScalarType::from_str(name).ok()
}
