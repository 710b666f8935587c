//! Plans that were built, so that the same network is not built again: one engine file a network, TensorRT, GPU and set
//! of options, under a digest of all of them.
//!
//! Timings alone do not make a second build fast: TensorRT goes through all its kernels for every layer even where each
//! is timed, and 8.6 takes no timings for a build that refuses kernels. The least recently used plans go when the
//! folder grows beyond [`LIMIT`]. This file must not know how a plan is built.

use super::Cache;
use engine::EngineFile;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes of all kept plans.
const LIMIT: u64 = 8 << 30;
/// What the files end in.
const EXTENSION: &str = "trt2";

/// The place of the plan with this digest in a folder; `None` where plans are not kept.
pub(crate) fn place(cache: &Cache, digest: u128) -> Option<Place> {
    let folder = cache.path(|| "engines".into())?;
    Some(Place { path: folder.join(format!("{digest:032x}.{EXTENSION}")) })
}

/// Where one plan is kept, or will be.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
}

impl Place {
    /// The plan that is kept there; a damaged one is left aside.
    pub(crate) fn read(&self) -> Option<EngineFile> {
        match EngineFile::open(&self.path) {
            Ok(file) => {
                // What was used last follows from the time of the file, and it may belong to somebody else.
                let used = std::fs::File::open(&self.path).and_then(|file| file.set_modified(SystemTime::now()));
                tracing::debug!(path = %self.path.display(), touched = used.is_ok(), "the engine cache has the plan");
                Some(file)
            }
            Err(engine::Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the plan in the engine cache cannot be used");
                None
            }
        }
    }

    /// Keeps a plan, and lets go of others where they are too many.
    pub(crate) fn write(&self, file: &EngineFile) {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let written = std::fs::create_dir_all(folder).map_err(|error| error.to_string());
        if let Err(error) = written.and_then(|()| file.save(&self.path).map_err(|error| error.to_string())) {
            tracing::warn!(path = %self.path.display(), error, "the engine cache cannot be written");
            return;
        }
        trim(folder, LIMIT, &self.path);
    }

    /// Lets go of a plan that is of no use.
    pub(crate) fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes the plans that were used longest ago until at most `limit` bytes are left; never `newest`, unless it is
/// larger itself.
fn trim(folder: &Path, limit: u64, newest: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let kept =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == EXTENSION));
    let mut plans: Vec<(SystemTime, u64, PathBuf)> = kept
        .filter_map(|path| {
            let about = path.metadata().ok()?;
            Some((about.modified().ok()?, about.len(), path))
        })
        .collect();
    plans.sort_by_key(|(used, _, path)| std::cmp::Reverse((path == newest, *used)));
    let mut room = limit;
    for (_, length, path) in plans {
        match room.checked_sub(length) {
            Some(rest) => room = rest,
            None => {
                room = 0;
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use engine::{Kind, Manifest};
    use std::time::Duration;

    /// A folder of its own for each test, gone afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("torch2trt-plans-{name}-{}", std::process::id())))
        }

        fn place(&self, digest: u128) -> Place {
            place(&Cache::At(self.0.clone()), digest).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn file(content: &[u8]) -> EngineFile {
        let mut file = EngineFile::new(Manifest::default());
        file.insert(Kind::Plan, vec![Bytes::copy_from_slice(content)]);
        file
    }

    fn content(place: &Place) -> Option<Bytes> {
        place.read().map(|file| file.section(Kind::Plan).unwrap())
    }

    #[test]
    fn a_plan_is_found_under_its_digest_only() {
        let folder = Folder::new("found");
        assert!(folder.place(7).read().is_none(), "there is no folder yet");
        folder.place(7).write(&file(b"seven"));
        folder.place(7).write(&file(b"seven again"));
        assert_eq!(content(&folder.place(7)).unwrap(), "seven again");
        assert!(folder.place(8).read().is_none());
        folder.place(7).remove();
        assert!(folder.place(7).read().is_none());
        assert!(place(&Cache::Off, 7).is_none());
    }

    #[test]
    fn a_damaged_plan_is_none_and_is_replaced() {
        let folder = Folder::new("damaged");
        let place = folder.place(1);
        place.write(&file(b"content"));
        let mut bytes = std::fs::read(&place.path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&place.path, &bytes).unwrap();
        assert!(place.read().is_none());
        std::fs::write(&place.path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(place.read().is_none());
        place.write(&file(b"content"));
        assert_eq!(content(&place).unwrap(), "content");
    }

    #[test]
    fn no_corruption_is_read_as_a_plan() {
        let folder = Folder::new("corrupt");
        let place = folder.place(1);
        place.write(&file(&[7; 500]));
        let good = std::fs::read(&place.path).unwrap();
        for at in (0..good.len()).step_by(37) {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << (at % 8);
            let cut = good[..at].to_vec();
            let longer = [&good[..], &good[..=at]].concat();
            for bytes in [flipped, cut, longer] {
                std::fs::write(&place.path, bytes).unwrap();
                let found = content(&place);
                assert!(found.is_none_or(|plan| plan == [7; 500].as_slice()), "byte {at}");
            }
        }
        std::fs::remove_file(&place.path).unwrap();
        std::fs::create_dir(&place.path).unwrap();
        assert!(place.read().is_none());
        place.write(&file(b"content"));
    }

    #[test]
    fn several_writers_and_readers_share_a_folder() {
        let folder = Folder::new("shared");
        std::thread::scope(|scope| {
            for writer in 0..4u8 {
                let folder = &folder;
                scope.spawn(move || {
                    for round in 0..20u8 {
                        let place = folder.place(u128::from(round % 3));
                        place.write(&file(&[writer; 3000]));
                        trim(&folder.0, 5000, &place.path);
                        if let Some(plan) = content(&place) {
                            assert!(plan.len() == 3000 && plan.iter().all(|byte| *byte == plan[0]), "a mixture");
                        }
                    }
                });
            }
        });
        let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(left.iter().all(|name| name.to_string_lossy().ends_with(EXTENSION)), "{left:?}");
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_and_plans_are_followed() {
        let (folder, other) = (Folder::new("linked"), Folder::new("link"));
        folder.place(1).write(&file(b"content"));
        std::os::unix::fs::symlink(&folder.0, &other.0).unwrap();
        assert_eq!(content(&other.place(1)).unwrap(), "content");
        other.place(2).write(&file(b"second"));
        assert_eq!(content(&folder.place(2)).unwrap(), "second");
        std::os::unix::fs::symlink(folder.0.join("elsewhere"), folder.place(3).path).unwrap();
        assert!(folder.place(3).read().is_none(), "a dangling link");
        folder.place(3).write(&file(b"third"));
        assert_eq!(content(&folder.place(3)).unwrap(), "third");
        std::fs::remove_file(&other.0).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_reason_to_fail() {
        let folder = Folder::new("under");
        folder.place(1).write(&file(b"content"));
        let under = place(&Cache::At(folder.place(1).path), 2).unwrap();
        under.write(&file(b"content"));
        assert!(under.read().is_none());
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let folder = Folder::new("oldest");
        let length = {
            folder.place(0).write(&file(&[0; 1000]));
            folder.place(0).path.metadata().unwrap().len()
        };
        for digest in 1..5 {
            folder.place(digest).write(&file(&[0; 1000]));
        }
        for digest in 0..5u64 {
            let aged = SystemTime::now() - Duration::from_secs(1000 - digest);
            std::fs::File::open(folder.place(digest.into()).path).unwrap().set_modified(aged).unwrap();
        }
        assert!(folder.place(0).read().is_some(), "used now");
        let other = folder.0.join("notes.txt");
        std::fs::write(&other, [0; 9000]).unwrap();
        let left = || (0..5).filter(|digest| folder.place(*digest).path.exists()).collect::<Vec<_>>();
        trim(&folder.0, 3 * length, &folder.place(1).path);
        assert_eq!(left(), [0, 1, 4], "the one in use, the newest, and the last of the others");
        trim(&folder.0, length - 1, &folder.place(1).path);
        assert_eq!((left(), other.exists()), (vec![], true), "nothing fits, and other files stay");
    }
}
