//! Writes the files that users name: every file that torch2trt writes goes through [`write`].
//!
//! A regular file is replaced atomically: a reader sees the old content or the new content. A symbolic link is
//! followed, and its target is replaced. A FIFO or a character device is written to and never replaced.
//!
//! The content of a regular file is first written to a locked temporary file in the same folder. A process that was
//! killed leaves it behind; the next write to the same path removes it, because the lock is free then.
//!
//! The crate must not know what is written.
#![forbid(unsafe_code)]

mod atomic;
mod target;

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use target::Target;

/// Writes what `content` writes to a path.
///
/// # Errors
/// Those of `content`, and those of the file system: the path is a folder, a block device or a socket, the existing
/// file may not be written to, the folder does not exist or is read-only. The file has its old content then, unless it
/// is not a regular file.
pub fn write<E: From<io::Error>>(path: &Path, content: impl FnOnce(&mut dyn Write) -> Result<(), E>) -> Result<(), E> {
    let file = match target::resolve(path)? {
        Target::Regular(path) => return atomic::replace(&path, content),
        Target::Open => OpenOptions::new().append(true).open(path)?,
        Target::Special(found) => target::open_special(path, &found)?,
    };
    let mut writer = BufWriter::new(file);
    content(&mut writer)?;
    Ok(writer.flush()?)
}

/// The regular file that a path names, or will name once it is written: links are followed.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a device or a FIFO, and those of the file system.
pub fn regular(path: &Path) -> io::Result<PathBuf> {
    match target::resolve(path)? {
        Target::Regular(path) => Ok(path),
        Target::Open | Target::Special(_) => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
        }
    }
}
