//! TensorRT's timings, kept from build to build: how long each tactic took on this GPU.
//!
//! A build that finds its tactics timed takes seconds instead of minutes. One file a TensorRT version and GPU, since
//! timings of another one are worthless. This file must not know what is built.

use super::Cache;
use std::path::{Path, PathBuf};

/// The file for a TensorRT and a GPU; `None` where timings are not kept.
pub(crate) fn file(cache: &Cache, tensorrt: &str, gpu: &str) -> Option<PathBuf> {
    cache.path(|| Path::new("timing").join(file_name(tensorrt, gpu)))
}

/// `tensorrt-8.6.0-nvidia-h200.timing`.
fn file_name(tensorrt: &str, gpu: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    format!("{tensorrt}-{gpu}.timing").chars().map(plain).collect()
}

/// The timings in a file; none where it does not exist yet.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "the timing cache cannot be read");
            }
            Vec::new()
        }
    }
}

/// Puts timings in the file's place at once: a reader sees the old ones or the new ones.
pub(crate) fn write(path: &Path, timings: &[u8]) {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(folder).and_then(|()| files::write(path, |file| file.write_all(timings)));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "the timing cache cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_version_and_gpu() {
        assert_eq!(file_name("TensorRT 8.6.0", "NVIDIA H200"), "tensorrt-8.6.0-nvidia-h200.timing");
        let path = file(&Cache::At("a/b".into()), "x", "y");
        assert_eq!(path, Some(PathBuf::from("a/b")));
        assert_eq!(file(&Cache::Off, "x", "y"), None);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_stays() {
        let folder = std::env::temp_dir().join(format!("torch2trt-timing-{}", std::process::id()));
        let path = folder.join("deep").join("a.timing");
        assert_eq!(read(&path), b"");
        write(&path, b"first");
        write(&path, b"second");
        assert_eq!(read(&path), b"second");
        assert_eq!(std::fs::read_dir(folder.join("deep")).unwrap().count(), 1);
        // A folder that cannot be made is no reason to fail.
        write(&path.join("under-a-file").join("b"), b"x");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
