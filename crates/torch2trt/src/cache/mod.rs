//! What is kept from conversion to conversion: TensorRT's timings, and the plans that were built.
//!
//! A cache that cannot be read or written costs time only: it never fails a conversion.

pub(crate) mod plans;
pub(crate) mod timings;

use std::path::PathBuf;

/// Where something is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// In the user's cache folder: `TORCH2TRT_CACHE`, else `$XDG_CACHE_HOME/torch2trt`, else `~/.cache/torch2trt`.
    #[default]
    User,
    /// At this path.
    At(PathBuf),
    /// Nowhere.
    Off,
}

impl Cache {
    /// The path, which is `own` within the user's cache folder; `None` where nothing is kept.
    fn path(&self, own: impl FnOnce() -> PathBuf) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::At(path) => Some(path.clone()),
            Self::User => Some(user_folder()?.join(own())),
        }
    }
}

fn user_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("TORCH2TRT_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("torch2trt")))
        .or_else(|| Some(set("HOME")?.join(".cache").join("torch2trt")))
}
