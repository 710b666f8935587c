//! What a precision search found, as data and as rows of text. This file must not know how it was found.

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchReport {
    /// The largest loss that was accepted: a relative error, or the drop of a metric.
    pub tolerance: f64,
    /// The metric of the reference, where there is one.
    pub reference_metric: Option<f64>,
    /// The loss of mixed precision without a search.
    pub before: f64,
    /// The loss of the network that was found.
    pub after: f64,
    /// The layers that the search keeps in float32, in the order of execution.
    pub kept: Vec<SensitiveLayer>,
    /// The `keep_fp32` that gives this network without a search; what was asked for comes first.
    pub keep_fp32: Vec<String>,
    /// Number of networks that were measured.
    pub evaluations: usize,
    /// Number of samples that each was measured on.
    pub samples: usize,
    /// Whether the search ended before its limit. Otherwise more layers are in float32 than are needed.
    pub is_complete: bool,
}

/// A layer that the search keeps in float32.
#[derive(Clone, Debug, PartialEq)]
pub struct SensitiveLayer {
    /// Its name.
    pub layer: String,
    /// Path of its module.
    pub module: String,
    /// `file.py:line` in the model; empty where unknown.
    pub position: String,
    /// The loss that was measured with the layer in float16; `None` where the limit was reached before.
    pub without: Option<f64>,
}

impl SearchReport {
    /// The report as rows of a name and a text.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let (networks, samples) = (counted(self.evaluations, "network"), counted(self.samples, "sample"));
        let after = if self.kept.is_empty() {
            String::new()
        } else {
            format!(", {} with these layers in float32", self.loss_text(self.after))
        };
        let summary = format!(
            "{} in float16{after}; {:.0e} is allowed ({networks} measured on {samples})",
            self.loss_text(self.before),
            self.tolerance
        );
        let mut rows = vec![("precision search", summary)];
        if !self.is_complete {
            let text = "ended at its limit: some of these layers may not need float32".to_owned();
            rows.push(("precision search", text));
        }
        rows.extend(self.kept.iter().map(|kept| ("needs float32", self.kept_text(kept))));
        rows
    }

    fn loss_text(&self, loss: f64) -> String {
        match self.reference_metric {
            Some(reference) => format!("metric {:.6} of {reference:.6}", reference - loss),
            None => format!("relative error {loss:.1e}"),
        }
    }

    fn kept_text(&self, kept: &SensitiveLayer) -> String {
        let place = if kept.position.is_empty() { String::new() } else { format!(" at {}", kept.position) };
        match kept.without {
            Some(loss) => format!("{}{place}: {} with it in float16", kept.layer, self.loss_text(loss)),
            None => format!("{}{place}: not measured alone", kept.layer),
        }
    }
}

/// A number and what is counted.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
