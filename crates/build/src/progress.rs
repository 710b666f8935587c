//! Progress of long work, and its cancellation.

/// Watches a build. Methods may be called from several threads.
pub trait Progress: Sync {
    /// A stage begins; `steps` where their number is known.
    fn begin(&self, stage: &str, steps: Option<u64>);
    /// A stage has done this many of its steps.
    fn step(&self, stage: &str, done: u64);
    /// The stage is over.
    fn end(&self, stage: &str);
    /// Whether the work should stop; asked often, must be cheap.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn step(&self, _: &str, _: u64) {}
    fn end(&self, _: &str) {}
}
