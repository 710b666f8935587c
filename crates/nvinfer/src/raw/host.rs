//! What live TensorRT objects share: the loaded library's entry and an error recorder.

use std::sync::Arc;

use crate::error::{Diagnostics, Error};
use crate::logger::Logger;
use crate::recorder::Recorder;
use crate::sys::{Method, Slot};
use crate::types::Severity;
use crate::version::Version;

/// The loaded library as calls need it: its version decides slots and layouts. Lives as long as the process.
#[derive(Debug)]
pub struct Entry {
    /// Version that the library reports.
    pub version: Version,
    /// The number that it reports, which the entry points want back.
    pub reported: i32,
    /// The logger that this library was given. TensorRT keeps the first one for good, so there is one per library.
    pub logger: Logger,
}

/// Shared by a builder and its networks, or a runtime and its engines: whom to ask why a call failed.
#[derive(Debug)]
pub struct Host {
    /// The library.
    pub entry: &'static Entry,
    /// Collects errors of these objects only.
    pub recorder: Recorder,
}

/// A point in time, for the messages after it.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    logged: u64,
    recorded: u64,
}

impl Host {
    /// A host with an error recorder of its own.
    pub fn new(entry: &'static Entry) -> Arc<Self> {
        Arc::new(Self { entry, recorder: Recorder::new(entry.version) })
    }

    /// The loaded version.
    pub fn version(&self) -> Version {
        self.entry.version
    }

    /// The slot of `method`, or the error with the versions that have it.
    pub fn slot(&self, method: &Method) -> Result<Slot, Error> {
        method.slot(self.version()).ok_or_else(|| Error::NotInThisVersion {
            call: method.full_name(),
            version: self.version(),
            since: method.availability(),
        })
    }

    /// Whether the loaded version has `method`.
    pub fn has(&self, method: &Method) -> bool {
        method.slot(self.version()).is_some()
    }

    /// Now.
    pub fn mark(&self) -> Mark {
        Mark { logged: self.entry.logger.count(), recorded: self.recorder.count() }
    }

    /// Whether errors were recorded since `mark`.
    pub fn erred_since(&self, mark: Mark) -> bool {
        self.recorder.count() > mark.recorded
    }

    /// TensorRT's messages since `mark`: recorded errors, then what it logged, errors before warnings. With a recorder
    /// set, TensorRT logs no errors, so the two complement each other.
    pub fn diagnostics_since(&self, mark: Mark) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        for message in self.recorder.since(mark.recorded) {
            diagnostics.add(message);
        }
        let mut logged = self.entry.logger.since(mark.logged);
        logged.sort_by_key(|m| m.severity);
        for message in logged {
            if message.severity <= Severity::Warning {
                diagnostics.add(message);
            }
        }
        diagnostics.drop_aftermath();
        diagnostics
    }

    /// The refusal of `method`, with the messages since `mark`.
    pub fn refused(&self, method: &Method, mark: Mark) -> Error {
        Error::Refused { call: method.full_name(), object: None, diagnostics: self.diagnostics_since(mark) }
    }
}
