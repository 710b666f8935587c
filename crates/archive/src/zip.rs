//! The zip file around an archive: entries by name, as bytes of the file itself.
//!
//! PyTorch stores every entry as it is, so that an entry is a part of the file and nothing is unpacked. Sizes come from
//! the central directory (local headers have none); an entry's checksum is compared when it is first asked for. The
//! file must not know what entries mean.

use crate::{Error, Result};
use ::zip::{CompressionMethod, ZipArchive};
use bytes::Bytes;
use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;
use std::path::Path;

/// A zip file in memory.
pub(crate) struct Entries {
    bytes: Bytes,
    entries: HashMap<String, Entry>,
}

struct Entry {
    place: Option<Range<usize>>,
    crc32: u32,
}

impl Entries {
    /// Reads a file and its directory.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let bytes = Bytes::from(bytes);
        let entries = directory(&bytes);
        let entries = entries.map_err(|problem| Error::NotAnArchive { path: path.to_owned(), problem })?;
        Ok(Self { bytes, entries })
    }

    /// Names of all entries.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is an entry of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Bytes of the whole file.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of an entry, shared with the file's.
    pub(crate) fn get(&self, name: &str) -> Result<Bytes> {
        let entry = self.entries.get(name).ok_or_else(|| Error::damaged(format!("it has no entry `{name}`")))?;
        let place = entry.place.clone().filter(|place| place.end <= self.bytes.len());
        let place = place.ok_or_else(|| {
            Error::damaged(format!("entry `{name}` is compressed, encrypted, or reaches beyond the end of the file"))
        })?;
        let bytes = self.bytes.slice(place);
        if crc32fast::hash(&bytes) != entry.crc32 {
            return Err(Error::damaged(format!("the checksum of entry `{name}` differs")));
        }
        Ok(bytes)
    }
}

/// Rejects entries that would be stored elsewhere if the archive was extracted. PyTorch writes none of them.
fn check_entry(name: &str, mode: Option<u32>) -> std::result::Result<(), String> {
    const KIND: u32 = 0o170_000;
    const LINK: u32 = 0o120_000;
    let drive = name.get(1..).is_some_and(|rest| rest.starts_with(":/") || rest.starts_with(":\\"));
    if drive || name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|part| part == "..") {
        return Err(format!("entry `{}` is outside of the archive", name.escape_debug()));
    }
    if mode.is_some_and(|mode| mode & KIND == LINK) {
        return Err(format!("entry `{}` is a symbolic link", name.escape_debug()));
    }
    Ok(())
}

fn directory(bytes: &Bytes) -> std::result::Result<HashMap<String, Entry>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes.clone())).map_err(|error| error.to_string())?;
    let mut entries = HashMap::with_capacity(archive.len());
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(|error| error.to_string())?;
        let plain = file.compression() == CompressionMethod::Stored && !file.encrypted();
        let whole = plain && file.compressed_size() == file.size();
        let place = file.data_start().filter(|_| whole).and_then(|start| {
            let start = usize::try_from(start).ok()?;
            Some(start..start.checked_add(usize::try_from(file.size()).ok()?)?)
        });
        let name = file.name().map_err(|error| error.to_string())?.into_owned();
        check_entry(&name, file.unix_mode())?;
        if entries.insert(name.clone(), Entry { place, crc32: file.crc32() }).is_some() {
            return Err(format!("entry `{name}` is there twice"));
        }
    }
    Ok(entries)
}
