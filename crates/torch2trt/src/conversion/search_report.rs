//! What a precision search found, as data and as rows of text. This file must not know how it was found.

use passes::{Half, Quantization};

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchReport {
    /// The largest loss that was accepted: a relative error, or the drop of a metric.
    pub tolerance: f64,
    /// The metric of the reference, where there is one.
    pub reference_metric: Option<f64>,
    /// The half-precision type of mixed precision, where the options ask for it.
    pub half: Option<Half>,
    /// What layers are quantized to, where the options ask for it.
    pub quantization: Option<Quantization>,
    /// The loss without a search: of mixed precision or with every layer quantized that can be.
    pub before: f64,
    /// The loss of the network that was found.
    pub after: f64,
    /// The layers that need a higher precision: those of mixed precision, then those that are not quantized, each in
    /// the order of execution.
    pub kept: Vec<SensitiveLayer>,
    /// The `keep_fp32` that gives this network without a search; what was asked for comes first.
    pub keep_fp32: Vec<String>,
    /// The same of `keep_unquantized`.
    pub keep_unquantized: Vec<String>,
    /// Number of networks that were measured.
    pub evaluations: usize,
    /// Number of samples that each was measured on.
    pub samples: usize,
    /// Whether the search ended before its limit. Otherwise more layers are in float32 than are needed.
    pub is_complete: bool,
}

/// A layer that the search keeps out of a lower precision.
#[derive(Clone, Debug, PartialEq)]
pub struct SensitiveLayer {
    /// Its name.
    pub layer: String,
    /// Path of its module.
    pub module: String,
    /// `file.py:line` in the model; empty where unknown.
    pub position: String,
    /// The lower precision: `float16`, `bfloat16`, `int8` or `fp8`.
    pub lower: &'static str,
    /// The loss that was measured with the layer in the lower precision; `None` where the limit was reached before.
    pub without: Option<f64>,
}

impl SearchReport {
    /// The `precision` that gives this network without a search, together with the patterns and, where layers are
    /// quantized, the mode of [`half`](Self::half).
    pub fn precision(&self) -> &'static str {
        match (self.quantization, self.half) {
            (Some(quantization), _) => quantization.name(),
            (None, Some(Half::BFloat16)) => "bf16",
            _ => "fp16",
        }
    }

    /// The mode of the layers that are not quantized, where that is one of half precision.
    pub fn mode(&self) -> Option<&'static str> {
        self.half.filter(|_| self.quantization.is_some()).map(|half| match half {
            Half::Float16 => "fp16_mode",
            Half::BFloat16 => "bf16_mode",
        })
    }

    /// The options with patterns that give this network without a search.
    pub fn patterns(&self) -> Vec<(&'static str, &[String])> {
        let options = [("keep_fp32", &self.keep_fp32[..]), ("keep_unquantized", &self.keep_unquantized)];
        options.into_iter().filter(|(_, patterns)| !patterns.is_empty()).collect()
    }

    /// The name of the lowest precision.
    fn lower(&self) -> &'static str {
        match (self.quantization, self.half) {
            (Some(quantization), _) => quantization.name(),
            (None, half) => half.unwrap_or(Half::Float16).dtype().name(),
        }
    }

    /// The report as rows of a name and a text.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let (networks, samples) = (counted(self.evaluations, "network"), counted(self.samples, "sample"));
        let after = if self.kept.is_empty() {
            String::new()
        } else {
            let higher = match self.quantization {
                Some(quantization) => format!("not in {}", quantization.name()),
                None => "in float32".to_owned(),
            };
            format!(", {} with these layers {higher}", self.loss_text(self.after))
        };
        let summary = format!(
            "{} in {}{after}; {:.0e} is allowed ({networks} measured on {samples})",
            self.loss_text(self.before),
            self.lower(),
            self.tolerance
        );
        let mut rows = vec![("precision search", summary)];
        if !self.is_complete {
            let text = "ended at its limit: some of these layers may not need a higher precision".to_owned();
            rows.push(("precision search", text));
        }
        let name = |kept: &SensitiveLayer| match kept.lower {
            "int8" => "not in int8",
            "fp8" => "not in fp8",
            _ => "needs float32",
        };
        rows.extend(self.kept.iter().map(|kept| (name(kept), self.kept_text(kept))));
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
            Some(loss) => format!("{}{place}: {} with it in {}", kept.layer, self.loss_text(loss), kept.lower),
            None => format!("{}{place}: not measured alone", kept.layer),
        }
    }
}

/// A number and what is counted.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
