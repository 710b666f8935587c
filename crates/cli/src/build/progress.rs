//! How far a build is, on standard error, where that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Mutex, PoisonError};
use torch2trt::Progress;

/// The bar of a stage of `steps` steps; `None`: a spinner. It draws nothing where standard error is no terminal.
pub fn bar_of(stage: &str, steps: Option<u64>) -> ProgressBar {
    let template = match steps {
        Some(_) => "{prefix:>22} {bar:30} {pos}/{len} {elapsed}",
        None => "{prefix:>22} {spinner} {elapsed}",
    };
    ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr())
        .with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(stage.to_owned())
}

/// One bar for the current stage.
pub(super) struct Bar {
    is_shown: bool,
    current: Mutex<Option<ProgressBar>>,
}

impl Bar {
    pub(super) fn new(is_shown: bool) -> Self {
        Self { is_shown, current: Mutex::new(None) }
    }

    fn with(&self, f: impl FnOnce(&mut Option<ProgressBar>)) {
        f(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bar {
    fn begin(&self, stage: &str, steps: Option<u64>) {
        self.with(|current| *current = self.is_shown.then(|| bar_of(stage, steps)));
    }

    fn step(&self, _stage: &str, done: u64) {
        self.with(|bar| bar.iter().for_each(|bar| bar.set_position(done)));
    }

    fn end(&self, _stage: &str) {
        self.with(|bar| bar.take().iter().for_each(ProgressBar::finish_and_clear));
    }
}
