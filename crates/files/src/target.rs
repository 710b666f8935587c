//! From the path that a user gave to what is written to: links are followed, and the kind of file decides how.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Links followed before a loop is assumed; Linux has the same limit.
const MAX_LINKS: usize = 40;

/// What a path names.
pub(crate) enum Target {
    /// A regular file, or a file that does not exist yet; not a link.
    Regular(PathBuf),
    /// A file that others hold open, which is appended to.
    Open,
    /// A device, a FIFO or a socket.
    Special(fs::Metadata),
}

pub(crate) fn resolve(path: &Path) -> Result<Target> {
    if path.as_os_str().as_encoded_bytes().last().is_some_and(|byte| std::path::is_separator(char::from(*byte))) {
        return Err(Error::from(ErrorKind::IsADirectory));
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(Error::from(ErrorKind::IsADirectory)),
        Ok(found) if !found.is_file() => Ok(Target::Special(found)),
        Ok(_) if is_open_file(path) => Ok(Target::Open),
        Ok(_) => {
            // Replacing needs no permission of the file itself: what is read-only stays as it is.
            OpenOptions::new().write(true).open(path)?;
            Ok(Target::Regular(fs::canonicalize(path)?))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Target::Regular(follow(path)?)),
        Err(error) => Err(error),
    }
}

/// Whether a path is an open file by its number, such as `/dev/stdout`: those who hold it open expect the content in
/// it.
fn is_open_file(path: &Path) -> bool {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { return false };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let number = path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
        if number && fs::canonicalize(folder).is_ok_and(|folder| folder.starts_with("/proc")) {
            return true;
        }
        path = folder.join(target);
    }
    false
}

/// The path behind dangling links.
fn follow(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(target);
            }
            _ => return Ok(path),
        }
    }
    Err(Error::other("too many levels of symbolic links"))
}

#[cfg(unix)]
pub(crate) fn open_special(path: &Path, found: &fs::Metadata) -> Result<File> {
    use std::os::unix::fs::FileTypeExt;
    if found.file_type().is_block_device() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is a block device"));
    }
    // Held until the second open: without a writer the reader would see the end of the file.
    let _writer = found.file_type().is_fifo().then(|| wait_for_reader(path)).transpose()?;
    OpenOptions::new().write(true).open(path)
}

#[cfg(not(unix))]
pub(crate) fn open_special(path: &Path, _: &fs::Metadata) -> Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// Waits some seconds until somebody reads a FIFO: opening it would wait for ever, and could not be interrupted.
#[cfg(unix)]
fn wait_for_reader(path: &Path) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    const STEP: std::time::Duration = std::time::Duration::from_millis(20);
    const STEPS: usize = 500;
    for _ in 0..STEPS {
        match OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => std::thread::sleep(STEP),
            other => return other,
        }
    }
    Err(Error::new(ErrorKind::TimedOut, "it is a FIFO that no process reads"))
}
