//! Regular files: written next to their place, then moved there at once.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tempfile::{Builder, NamedTempFile};

/// What the names of temporary files end in.
const SUFFIX: &str = ".torch2trt-tmp";
/// Random characters in their names.
const RANDOM: usize = 8;
/// Characters of the file's own name in them: a name may have 255 bytes in all.
const OWN: usize = 50;

/// Writes a file that is not a link.
pub(crate) fn replace<E: From<io::Error>>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = prefix(name);
    remove_abandoned(folder, &prefix);
    let mut file = create(folder, &prefix)?;
    let mut writer = BufWriter::new(file.as_file_mut());
    content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    if let Ok(old) = fs::metadata(path) {
        keep_permissions(file.as_file(), &old)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|refused| refused.error)?;
    // The name is durable as well then; not every file system does that.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// `.net.trt2.`
fn prefix(name: &OsStr) -> String {
    let name: String = name.to_string_lossy().chars().take(OWN).collect();
    format!(".{name}.")
}

/// A temporary file that is locked, so that it is not mistaken for an abandoned one.
fn create(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    loop {
        let mut builder = Builder::new();
        builder.prefix(prefix).suffix(SUFFIX).rand_bytes(RANDOM);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(plain)?;
        // Without locks on this file system nothing is taken for abandoned either.
        let _ = file.as_file().lock();
        // Somebody may have locked and removed it before.
        if is_linked(file.as_file()) {
            return Ok(file);
        }
    }
}

/// The error without the temporary file's path, which the caller did not choose.
fn plain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Other => error,
        kind => kind.into(),
    }
}

#[cfg(unix)]
fn is_linked(file: &File) -> bool {
    file.metadata().is_ok_and(|found| std::os::unix::fs::MetadataExt::nlink(&found) > 0)
}

#[cfg(not(unix))]
fn is_linked(_: &File) -> bool {
    true
}

/// Removes temporary files for the same path that no process is writing.
fn remove_abandoned(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix)?.strip_suffix(SUFFIX));
        let ours =
            random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|c| c.is_ascii_alphanumeric()));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = entry.path();
            let Ok(file) = fs::OpenOptions::new().write(true).open(&path) else { continue };
            // Held until the file is gone, so that its writer cannot start in between.
            if file.try_lock().is_ok() {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// Gives a new file the owner of the old one, where that is allowed, and its permissions.
#[cfg(unix)]
fn keep_permissions(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
    // Without setuid: the owner may be another one now.
    file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))
}

#[cfg(not(unix))]
fn keep_permissions(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}
