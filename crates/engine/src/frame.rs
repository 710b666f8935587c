//! The bytes of the file: a header, a table of sections, and the sections, each with its checksum.
//!
//! Reading believes nothing: every number is compared with what is there before it is used, and no memory is taken
//! for a length that only the file claims.

use crate::{Error, Manifest, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// As PNG's: not text, and changed by whoever copies it as text.
const MAGIC: [u8; 8] = *b"\x89T2T\r\n\x1a\n";
/// The format that this crate reads and writes.
pub const VERSION: u32 = 1;
/// Sections start at multiples of this.
pub(crate) const ALIGNMENT: u64 = 64;
const HEADER: usize = 32;
const ENTRY: usize = 32;
/// More sections than there are kinds make no sense.
const MOST_SECTIONS: usize = 16;
const ZEROS: [u8; ALIGNMENT as usize] = [0; ALIGNMENT as usize];

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A plan, as TensorRT serialized it.
    Plan = 2,
    /// An ONNX model (`ModelProto`) with its weights in another section.
    Onnx = 3,
    /// The weights; the manifest has the place of each.
    Weights = 4,
}

/// The manifest's number in the table; it is a section like the others.
const MANIFEST: u32 = 1;

impl Kind {
    const ALL: [Self; 3] = [Self::Plan, Self::Onnx, Self::Weights];

    /// What it is called in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "TensorRT plan",
            Self::Onnx => "ONNX model",
            Self::Weights => "weights",
        }
    }
}

/// Whether bytes start as an engine file does.
pub fn is_engine_file(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// An engine file in memory. Sections are shared with whoever gave them, or with the file that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineFile {
    /// Its description.
    pub manifest: Manifest,
    sections: BTreeMap<Kind, Vec<Bytes>>,
}

/// One row of the table.
struct Entry {
    kind: u32,
    offset: u64,
    length: u64,
    checksum: u64,
}

impl EngineFile {
    /// A file with a manifest and nothing else.
    pub fn new(manifest: Manifest) -> Self {
        Self { manifest, sections: BTreeMap::new() }
    }

    /// Adds a section, in parts that follow each other.
    pub fn insert(&mut self, kind: Kind, parts: Vec<Bytes>) {
        self.sections.insert(kind, parts);
    }

    /// Whether there is such a section.
    pub fn has(&self, kind: Kind) -> bool {
        self.sections.contains_key(&kind)
    }

    /// The bytes of a section: the file's own memory, where it was read.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn section(&self, kind: Kind) -> Result<Bytes> {
        match self.sections.get(&kind).map(Vec::as_slice) {
            None => Err(Error::Missing { kind }),
            Some([one]) => Ok(one.clone()),
            Some(parts) => Ok(parts.concat().into()),
        }
    }

    /// Writes the file; returns its length.
    ///
    /// # Errors
    /// [`Error::Io`] under an empty path, or [`Error::Manifest`].
    pub fn write(&self, to: &mut dyn Write) -> Result<u64> {
        let manifest = Bytes::from(serde_json::to_vec(&self.manifest).map_err(|source| Error::Manifest { source })?);
        let first = vec![manifest];
        let kinds = self.sections.iter().map(|(kind, parts)| Section { kind: *kind as u32, parts });
        let sections: Vec<Section<'_>> =
            std::iter::once(Section { kind: MANIFEST, parts: &first }).chain(kinds).collect();
        let head = head(&sections);
        let io = |source| Error::Io { doing: "written", path: PathBuf::new(), source };
        let mut at = head.len() as u64;
        to.write_all(&head).map_err(io)?;
        for Section { parts, .. } in &sections {
            at += pad(to, at).map_err(io)?;
            for part in *parts {
                to.write_all(part).map_err(io)?;
                at += part.len() as u64;
            }
        }
        Ok(at)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// As [`EngineFile::write`].
    pub fn to_bytes(&self) -> Result<Bytes> {
        let length: usize = self.sections.values().flatten().map(Bytes::len).sum();
        let mut bytes = Vec::with_capacity(length + 4096);
        self.write(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Writes the file atomically, as [`files::write`] does.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Manifest`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let io = |source| Error::Io { doing: "written", path: path.to_owned(), source };
        files::write(path, |file| self.write(file).map(|_| ())).map_err(|error| match error {
            Error::Io { source, .. } => io(source),
            other => other,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`], and those of [`EngineFile::parse`].
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io { doing: "read", path: path.to_owned(), source })?;
        Self::parse(bytes.into())
    }

    /// Reads the manifest of a file and nothing after it.
    ///
    /// # Errors
    /// As [`EngineFile::open`]; damage to other sections goes unnoticed.
    pub fn open_manifest(path: &Path) -> Result<Manifest> {
        let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut start = Vec::new();
        let most = (HEADER + MOST_SECTIONS * ENTRY) as u64;
        (&file).take(most).read_to_end(&mut start).map_err(io)?;
        let table = table(&start, length)?;
        let entry = manifest_entry(&table)?;
        // The table was compared with the file's length: this is no more than the file has.
        let rest = (entry.offset + entry.length).saturating_sub(start.len() as u64);
        (&file).take(rest).read_to_end(&mut start).map_err(io)?;
        read_manifest(&Bytes::from(start), entry)
    }

    /// Reads a file's bytes. Sections share their memory.
    ///
    /// # Errors
    /// Whatever is wrong with them: see [`Error`].
    pub fn parse(bytes: Bytes) -> Result<Self> {
        let table = table(&bytes, bytes.len() as u64)?;
        let mut file = Self::new(read_manifest(&bytes, manifest_entry(&table)?)?);
        let mut end = (HEADER + table.len() * ENTRY) as u64;
        for entry in &table {
            if slice(&bytes, end, entry.offset)?.iter().any(|byte| *byte != 0) {
                return Err(Error::Damaged { part: "padding" });
            }
            end = entry.offset + entry.length;
            // A kind of a later minor version is passed over.
            let Some(kind) = Kind::ALL.into_iter().find(|kind| *kind as u32 == entry.kind) else { continue };
            let content = slice(&bytes, entry.offset, end)?;
            if xxh3_64(&content) != entry.checksum {
                return Err(Error::Damaged { part: kind.name() });
            }
            if file.sections.insert(kind, vec![content]).is_some() {
                return Err(Error::Table { problem: format!("there are two sections with a {}", kind.name()) });
            }
        }
        Ok(file)
    }
}

/// A part of the file: its number in the table, and its content.
struct Section<'a> {
    kind: u32,
    parts: &'a [Bytes],
}

/// Header and table.
fn head(sections: &[Section<'_>]) -> Vec<u8> {
    let mut table = Vec::with_capacity(sections.len() * ENTRY);
    let mut offset = (HEADER + sections.len() * ENTRY) as u64;
    for Section { kind, parts } in sections {
        offset = offset.next_multiple_of(ALIGNMENT);
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let mut checksum = Xxh3::new();
        parts.iter().for_each(|part| checksum.update(part));
        table.extend_from_slice(&kind.to_le_bytes());
        table.extend_from_slice(&0u32.to_le_bytes());
        for number in [offset, length, checksum.digest()] {
            table.extend_from_slice(&number.to_le_bytes());
        }
        offset += length;
    }
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&VERSION.to_le_bytes());
    // There are at most as many as kinds.
    head.extend_from_slice(&(sections.len() as u32).to_le_bytes());
    head.extend_from_slice(&offset.to_le_bytes());
    let checksum = head_checksum(&head, &table);
    head.extend_from_slice(&checksum.to_le_bytes());
    head.extend(table);
    head
}

fn head_checksum(header: &[u8], table: &[u8]) -> u64 {
    let mut checksum = Xxh3::new();
    checksum.update(header);
    checksum.update(table);
    checksum.digest()
}

fn pad(to: &mut dyn Write, at: u64) -> std::io::Result<u64> {
    let padding = at.next_multiple_of(ALIGNMENT) - at;
    // Less than the alignment.
    to.write_all(&ZEROS[..padding as usize])?;
    Ok(padding)
}

/// The table, checked against the length of the file: sections lie within it, in order, apart, and end with it.
fn table(start: &[u8], length: u64) -> Result<Vec<Entry>> {
    let short = |expected: u64| Error::Length { expected, got: length };
    check_magic(start)?;
    if start.len() < HEADER {
        return Err(short(HEADER as u64));
    }
    let version = u32_at(start, 8);
    if version != VERSION {
        return Err(Error::Format { found: version, known: VERSION });
    }
    let (count, expected) = (u32_at(start, 12) as usize, u64_at(start, 16));
    if expected != length {
        return Err(short(expected));
    }
    if count == 0 || count > MOST_SECTIONS {
        return Err(Error::Table { problem: format!("it has {count} sections, 1 to {MOST_SECTIONS} are possible") });
    }
    let end = HEADER + count * ENTRY;
    let Some(rows) = start.get(HEADER..end) else { return Err(short(end as u64)) };
    if head_checksum(&start[..24], rows) != u64_at(start, 24) {
        return Err(Error::Damaged { part: "table of sections" });
    }
    let read = |row: &[u8]| Entry {
        kind: u32_at(row, 0),
        offset: u64_at(row, 8),
        length: u64_at(row, 16),
        checksum: u64_at(row, 24),
    };
    let table: Vec<Entry> = rows.chunks_exact(ENTRY).map(read).collect();
    check_places(&table, end as u64, length)?;
    Ok(table)
}

fn check_magic(start: &[u8]) -> Result<()> {
    if is_engine_file(start) {
        return Ok(());
    }
    // What is left of the magic after a copy that turned CR LF into LF, or LF into CR LF.
    if start.starts_with(b"\x89T2T\n") || start.starts_with(b"\x89T2T\r\r\n") {
        return Err(Error::CopiedAsText);
    }
    if start.starts_with(b"PK\x03\x04") {
        return Err(Error::Archive);
    }
    Err(Error::NotAnEngineFile { found: start.iter().take(8).copied().collect() })
}

fn check_places(table: &[Entry], mut end: u64, length: u64) -> Result<()> {
    for Entry { kind, offset, length: size, .. } in table {
        let next = end.next_multiple_of(ALIGNMENT);
        if *offset != next {
            return Err(Error::Table { problem: format!("section {kind} starts at {offset}, {next} is next") });
        }
        end = offset
            .checked_add(*size)
            .filter(|end| *end <= length)
            .ok_or_else(|| Error::Table { problem: format!("section {kind} ends beyond the file") })?;
    }
    if end == length { Ok(()) } else { Err(Error::Table { problem: format!("{} bytes follow it", length - end) }) }
}

fn manifest_entry(table: &[Entry]) -> Result<&Entry> {
    let first = table.first().filter(|entry| entry.kind == MANIFEST);
    first.ok_or_else(|| Error::Table { problem: "the manifest is not its first section".into() })
}

fn read_manifest(bytes: &Bytes, entry: &Entry) -> Result<Manifest> {
    let content = slice(bytes, entry.offset, entry.offset + entry.length)?;
    if xxh3_64(&content) != entry.checksum {
        return Err(Error::Damaged { part: "manifest" });
    }
    serde_json::from_slice(&content).map_err(|source| Error::Manifest { source })
}

/// Bytes that the table vouches for; an error where fewer were read than the file's length promised.
fn slice(bytes: &Bytes, start: u64, end: u64) -> Result<Bytes> {
    let place = |n: u64| usize::try_from(n).ok().filter(|n| *n <= bytes.len());
    match (place(start), place(end)) {
        (Some(start), Some(end)) if start <= end => Ok(bytes.slice(start..end)),
        _ => Err(Error::Length { expected: end, got: bytes.len() as u64 }),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}
