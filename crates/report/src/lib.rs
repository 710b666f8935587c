//! The report of an engine as one HTML file, and the picture of a network as SVG: plain data in, text out.
//!
//! `graph.rs` is the network as it is recorded in engine files, `tree.rs` folds it by module, `layout.rs` arranges each
//! fold in ranks, `svg.rs` draws it, and `page/` writes the HTML file with its own style sheet and script. Everything
//! that comes from a model (names, modules, source lines) is escaped: no text of a model becomes markup.
//!
//! The crate must not know how networks are made or engines run.
//!
//! ```
//! let report = report::Report { title: "net.trt2".into(), ..report::Report::default() };
//! assert!(report.to_html().contains("<title>net.trt2"));
//! ```
#![forbid(unsafe_code)]

mod data;
mod graph;
mod layout;
mod page;
mod svg;
#[cfg(test)]
#[allow(clippy::panic, clippy::print_stderr, reason = "tests")]
mod tests;
mod times;
mod tree;
mod units;

pub use data::{Accuracy, EngineReport, Part, Port, Report};
pub use graph::{Graph, Layer, Memory, Scales, Value, Weight};
pub use page::{Table, Tables};
pub use svg::{Drawing, UNFOLDED};
pub use times::{LayerTime, Times};
pub use units::{bytes_text, count_text, time_text};
