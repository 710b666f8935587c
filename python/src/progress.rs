//! A progress bar on the terminal, and Ctrl-C as cancellation.

use indicatif::ProgressBar;
use pyo3::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use torch2trt::Progress;

/// Draws one bar for the current stage on standard error; nothing where that is not a terminal.
#[pyclass(module = "torch2trt._core", name = "ProgressBar", frozen)]
pub(crate) struct Bar {
    drawn: Mutex<ProgressBar>,
    /// The stage that Python reports, empty between stages.
    stage: Mutex<String>,
    shown: bool,
    cancelled: AtomicBool,
}

#[pymethods]
impl Bar {
    #[new]
    #[pyo3(signature = (shown = true))]
    fn new(shown: bool) -> Self {
        Self {
            drawn: Mutex::new(ProgressBar::hidden()),
            stage: Mutex::default(),
            shown,
            cancelled: AtomicBool::new(false),
        }
    }

    /// Shows how far a stage is: `done` of `total` steps. The stage is over when all are done.
    fn __call__(&self, stage: &str, done: u64, total: u64) {
        let mut current = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *current != stage {
            self.begin(stage, (total > 0).then_some(total));
            stage.clone_into(&mut current);
        }
        self.step(stage, done);
        if done >= total {
            self.end(stage);
            current.clear();
        }
    }
}

impl Bar {
    /// Makes the work stop at its next step.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    fn with(&self, f: impl FnOnce(&mut ProgressBar)) {
        // A poisoned lock only means that a drawing thread died; the bar is still usable.
        f(&mut self.drawn.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Progress for Bar {
    fn begin(&self, stage: &str, steps: Option<u64>) {
        if !self.shown {
            return;
        }
        self.with(|current| *current = cli::bar_of(stage, steps));
    }

    fn step(&self, _stage: &str, done: u64) {
        self.with(|bar| bar.set_position(done));
    }

    fn end(&self, _stage: &str) {
        self.with(|bar| bar.finish_and_clear());
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
