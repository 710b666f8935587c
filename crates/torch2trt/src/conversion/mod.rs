//! A conversion, stage by stage.

mod backend;
mod batches;
mod calibration;
mod computed;
mod debug;
mod divergence;
mod histogram;
mod precision;
mod profiles;
mod samples;
mod search;
mod search_report;
mod verify;

pub use backend::{Chosen, choose_backend};
pub use computed::computed_in;
pub use debug::{
    Culprit, DebugOptions, Debugged, Diagnosis, Failed, FailedCall, Kind, NamedRange, NetworkValues, OutputError,
    ProgramValues, Replayed, Stage, Suspect, ValueRange, debug, debug_conversion, replay,
};
pub use precision::{Precise, QuantizationReport, precision};
pub use profiles::{Asked, AxisRanges, End, Requested, Shape, exported_profiles};
pub use samples::Samples;
pub use search::{Metric, search};
pub use search_report::{SearchReport, SensitiveLayer};
pub use verify::{Comparison, Float32, Reference, Tolerance, difference, verify};
